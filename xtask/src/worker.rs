//! The Cloudflare Worker: compiled, bound to JavaScript, made small; and the components as modules of JavaScript, which
//! is how workerd runs them.

use crate::command::program;
use crate::components::{self, is_newer};
use crate::setup::WasmToolchain;
use crate::web::{check_version, shrink};
use anyhow::{Result, bail};
use edge_fns::routes::{HTTP, HttpRoute};
use serde_json::json;
use std::io::Write;
use std::path::Path;

pub const FOLDER: &str = "edge-fns/worker";
/// What `wrangler deploy` and the tests' workerd are given.
const BUILT: &str = "target/worker";
const JCO: &str = "target/jco";
const MODULE: &str = "target/wasm/wasm32-unknown-unknown/component/edge_worker.wasm";
/// After gzip, which is what the platform counts; it takes 3 MB.
const LARGEST: usize = 1 << 20;

/// Builds the Worker into `target/worker`.
pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    toolchain.cargo(&["build", "-p", "edge-worker", "--profile", "component"]).run()?;
    let entry = Path::new(BUILT).join("shim.js");
    let source = Path::new(FOLDER).join("js/shim.js");
    if is_newer(&entry, Path::new(MODULE))? && is_newer(&entry, &source)? {
        return Ok(());
    }
    check_version()?;
    if Path::new(BUILT).exists() {
        std::fs::remove_dir_all(BUILT)?;
    }
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(MODULE)
        .out_name("index")
        .module(true)?
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true);
    bindgen.generate(BUILT)?;
    let module = Path::new(BUILT).join("index_bg.wasm");
    shrink(&["-Os"], &module, &module)?;
    let bytes = std::fs::read(&module)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes)?;
    let size = gzip.finish()?.len();
    println!("{}: {} bytes, {size} after gzip", module.display(), bytes.len());
    if size > LARGEST {
        bail!("the Worker is over {LARGEST} bytes after gzip");
    }
    // A Worker's modules are imported as they are, compiled already.
    let index = Path::new(BUILT).join("index.js");
    let text = std::fs::read_to_string(&index)?;
    if !text.contains("import source ") {
        bail!("{} does not import its module as it used to", index.display());
    }
    std::fs::write(&index, text.replace("import source ", "import "))?;
    std::fs::copy(source, entry)?;
    Ok(())
}

/// Makes JavaScript of each component that has changed, into `target/jco/NAME`, and of the table of routes.
pub fn transpile() -> Result<()> {
    program("node", ["edge-fns/worker/js/transpile.mjs", components::COMPONENTS, JCO]).run()?;
    Ok(std::fs::write(Path::new(JCO).join("routes.js"), routes())?)
}

/// The functions' routes as a module: `[method or null, pattern, function]` each.
fn routes() -> String {
    let route = |route: &HttpRoute| {
        let pattern = route.pattern().replace('/', "\\/");
        format!("  [{}, /{pattern}/, {}],\n", json!(route.method), json!(route.handler))
    };
    format!("export default [\n{}];\n", HTTP.iter().map(route).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_written_as_they_are_tried() {
        let text = routes();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "export default [");
        assert_eq!(lines[1], r#"  ["POST", /^\/orders$/, "order-router"],"#);
        assert_eq!(lines[3], r#"  [null, /^\/orders\/[^\/]+$/, "orders"],"#);
        assert_eq!(lines.last(), Some(&"];"));
        assert_eq!(lines.len(), HTTP.len() + 2);
    }
}
