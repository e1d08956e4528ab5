//! `spin.toml`: what of an application's manifest (version 2) this host follows.
//!
//! What it does not offer (files, databases, models, components from a registry) is refused when the manifest is read: an
//! application that would meet other conditions than on Spin does not start.

use super::SpinError;
use super::outbound::AllowedHosts;
use super::route::Route;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An application, with its variables filled in.
#[derive(Debug)]
pub struct Manifest {
    pub name: String,
    pub routes: Vec<(Route, String)>,
    pub components: BTreeMap<String, ComponentSettings>,
}

/// What one component is, and what it may do.
#[derive(Debug)]
pub struct ComponentSettings {
    pub source: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub stores: BTreeSet<String>,
    pub allowed: Arc<AllowedHosts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default)]
    component: BTreeMap<String, Component>,
}

/// Of these only the name is of use here.
#[derive(Deserialize)]
struct Application {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    #[serde(default)]
    required: bool,
    default: Option<String>,
    /// Spin hides it in what it prints; here no variable is printed.
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: Option<String>,
    route: String,
    component: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    source: PathBuf,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    #[serde(default, rename = "build")]
    _build: Option<toml::Table>,
    /// What tools keep here is none of a host's business.
    #[serde(default, rename = "tool")]
    _tool: Option<toml::Table>,
}

impl Manifest {
    /// Reads the manifest at this path; `given` are variables of the application that take the place of their defaults.
    pub fn read(path: &Path, given: &BTreeMap<String, String>) -> Result<Manifest, SpinError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SpinError::Read { path: path.to_owned(), source })?;
        Manifest::parse(&text, path.parent().unwrap_or(Path::new(".")), given)
    }

    /// The same for its text; files are named from `folder` on.
    pub fn parse(text: &str, folder: &Path, given: &BTreeMap<String, String>) -> Result<Manifest, SpinError> {
        let bad = |reason: String| SpinError::Manifest(reason);
        let file: File = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        if file.spin_manifest_version != 2 {
            return Err(bad(format!("spin_manifest_version is {}: known is 2", file.spin_manifest_version)));
        }
        let variables = variables(&file.variables, given)?;
        let mut components = BTreeMap::new();
        for (id, component) in file.component {
            let fill = |table: BTreeMap<String, String>| {
                let filled = table.into_iter().map(|(name, value)| Ok((name, fill(&value, &variables)?)));
                filled.collect::<Result<BTreeMap<_, _>, SpinError>>()
            };
            let hosts = component.allowed_outbound_hosts.iter().map(|host| self::fill(host, &variables));
            let settings = ComponentSettings {
                source: folder.join(component.source),
                variables: fill(component.variables)?,
                environment: fill(component.environment)?,
                stores: component.key_value_stores,
                allowed: Arc::new(AllowedHosts::parse(hosts.collect::<Result<Vec<_>, _>>()?)?),
            };
            components.insert(id, settings);
        }
        let mut routes = Vec::new();
        for trigger in file.trigger.http {
            if !components.contains_key(&trigger.component) {
                return Err(bad(format!(
                    "a trigger names the component {:?}, which is not there",
                    trigger.component
                )));
            }
            routes.push((Route::parse(&trigger.route)?, trigger.component));
        }
        if routes.is_empty() {
            return Err(bad("there is no HTTP trigger".into()));
        }
        // The more a route says, the sooner it is asked.
        routes.sort_by_key(|(route, _)| std::cmp::Reverse(route.weight()));
        Ok(Manifest { name: file.application.name, routes, components })
    }
}

/// The application's variables: as given, or by default.
fn variables(
    declared: &BTreeMap<String, Variable>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, SpinError> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(SpinError::Variable { name: name.clone(), reason: "the manifest does not declare it" });
    }
    let mut variables = BTreeMap::new();
    for (name, variable) in declared {
        let wrong = |reason| SpinError::Variable { name: name.clone(), reason };
        if !is_name(name) {
            return Err(wrong("a name has lower-case letters, digits and single underscores"));
        }
        if variable.required == variable.default.is_some() {
            return Err(wrong("it must be either required or have a default"));
        }
        let value = given.get(name).or(variable.default.as_ref());
        variables
            .insert(name.clone(), value.ok_or_else(|| wrong("it is required and was not given"))?.clone());
    }
    Ok(variables)
}

/// Whether a variable can have this name.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
}

/// The text with every `{{ name }}` replaced.
fn fill(template: &str, variables: &BTreeMap<String, String>) -> Result<String, SpinError> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .ok_or_else(|| SpinError::Manifest(format!("{template:?} has {{{{ without }}}}")))?;
        let name = name.trim();
        let unknown =
            || SpinError::Variable { name: name.to_owned(), reason: "the manifest does not declare it" };
        filled.push_str(before);
        filled.push_str(variables.get(name).ok_or_else(unknown)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "sample"
        version = "1.0.0"
        [variables]
        origin = { default = "https://example.com" }
        token = { required = true, secret = true }
        [[trigger.http]]
        route = "/..."
        component = "sample"
        [component.sample]
        source = "sample.wasm"
        allowed_outbound_hosts = ["{{ origin }}"]
        key_value_stores = ["default"]
        variables = { url = "{{ origin }}/a", token = "{{token}}" }
        [component.sample.build]
        command = "make"
    "#;

    fn read(text: &str, given: &[(&str, &str)]) -> Result<Manifest, SpinError> {
        let given = given.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Manifest::parse(text, Path::new("/app"), &given)
    }

    fn refused(text: &str) -> String {
        read(text, &[("token", "x")]).unwrap_err().to_string()
    }

    #[test]
    fn variables_are_filled_in_where_components_use_them() {
        let manifest = read(TEXT, &[("token", "secret"), ("origin", "http://127.0.0.1:9")]).unwrap();
        let sample = &manifest.components["sample"];
        assert_eq!(manifest.name, "sample");
        assert_eq!(sample.source, Path::new("/app/sample.wasm"));
        assert_eq!(sample.variables["url"], "http://127.0.0.1:9/a");
        assert_eq!(sample.variables["token"], "secret");
        assert!(sample.allowed.allow("http", "127.0.0.1", 9));
        assert!(!sample.allowed.allow("https", "example.com", 443));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(read(TEXT, &[]).unwrap_err().to_string().contains("token"));
        assert!(read(TEXT, &[("token", "x"), ("none", "x")]).unwrap_err().to_string().contains("none"));
        assert!(refused(&TEXT.replace("version = 2", "version = 1")).contains('1'));
        assert!(refused(&TEXT.replace("{{token}}", "{{tokens}}")).contains("tokens"));
        assert!(refused(&TEXT.replace("{{token}}", "{{token")).contains("without"));
        assert!(
            refused(&TEXT.replace("component = \"sample\"", "component = \"simple\"")).contains("simple")
        );
        assert!(refused(&TEXT.replace("required = true, ", "")).contains("either"));
        assert!(refused(&TEXT.replace("origin = {", "Bad = { default = \"\" }\norigin = {")).contains("Bad"));
        // What would be there on Spin and is not here.
        assert!(refused(&TEXT.replace("key_value_stores", "sqlite_databases")).contains("sqlite_databases"));
        assert!(refused(&TEXT.replace("[[trigger.http]]", "[[trigger.redis]]")).contains("redis"));
        assert!(
            refused(&TEXT.replace("\"sample.wasm\"", "{ url = \"x\", digest = \"y\" }")).contains("source")
        );
    }

    #[test]
    fn names_of_variables() {
        for name in ["a", "a1", "a_1", "capabilities_url"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A", "1a", "_a", "a_", "a__b", "a-b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
