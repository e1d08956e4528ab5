//! Routes of HTTP triggers: `/exact`, `/with/:parameter`, and `/below/...` for everything there.

use super::SpinError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    text: String,
    parts: Vec<Part>,
    /// Ends in `...`: takes whatever follows.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Any,
}

impl Route {
    pub fn parse(text: &str) -> Result<Route, SpinError> {
        let bad = || SpinError::Manifest(format!("{text:?} is no route"));
        let path = text.strip_prefix('/').ok_or_else(bad)?;
        let (path, open) = match path.strip_suffix("...") {
            Some(path) if path.is_empty() || path.ends_with('/') => (path.trim_end_matches('/'), true),
            Some(_) => return Err(bad()),
            None => (path, false),
        };
        if path.contains("...") {
            return Err(bad());
        }
        let part = |part: &str| match part.strip_prefix(':') {
            Some("") => Err(bad()),
            Some(_) => Ok(Part::Any),
            None => Ok(Part::Literal(part.to_owned())),
        };
        let parts =
            if path.is_empty() { Vec::new() } else { path.split('/').map(part).collect::<Result<_, _>>()? };
        Ok(Route { text: text.to_owned(), parts, open })
    }

    /// As it is written in the manifest.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of two routes says more: literal parts before parameters, longer before shorter, exact before open.
    pub fn weight(&self) -> (usize, usize, bool) {
        let literal = self.parts.iter().filter(|part| **part != Part::Any).count();
        (self.parts.len(), literal, !self.open)
    }

    /// What follows the route in this path, if the route takes it: empty where it is exact.
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut rest = path;
        for part in &self.parts {
            let after = rest.strip_prefix('/')?;
            let end = after.find('/').unwrap_or(after.len());
            let fits = match part {
                Part::Literal(own) => *own == after[..end],
                Part::Any => end > 0,
            };
            if !fits {
                return None;
            }
            rest = &after[end..];
        }
        // A slash at the end is not told from none.
        (self.open || matches!(rest, "" | "/")).then_some(if self.open { rest } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_or_do_not() {
        for (route, path, rest) in [
            ("/...", "/", Some("/")),
            ("/...", "/a/b", Some("/a/b")),
            ("/", "/", Some("")),
            ("/", "/a", None),
            ("/a", "/a", Some("")),
            ("/a", "/a/", Some("")),
            ("/a", "/ab", None),
            ("/a/...", "/a", Some("")),
            ("/a/...", "/a/b/c", Some("/b/c")),
            ("/a/...", "/ab", None),
            ("/a/:id", "/a/1", Some("")),
            ("/a/:id", "/a/", None),
            ("/a/:id", "/a/1/2", None),
            ("/a/:id/...", "/a/1/2", Some("/2")),
            ("/é", "/é", Some("")),
        ] {
            assert_eq!(Route::parse(route).unwrap().rest(path), rest, "{route} {path}");
        }
        for wrong in ["", "a", "/a...", "/.../a", "/:"] {
            assert!(Route::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_route_that_says_more_comes_first() {
        let mut routes = ["/...", "/a/...", "/a/:id", "/a/b", "/a"].map(|text| Route::parse(text).unwrap());
        routes.sort_by_key(|route| std::cmp::Reverse(route.weight()));
        assert_eq!(routes.each_ref().map(|route| route.text()), ["/a/b", "/a/:id", "/a", "/a/...", "/..."]);
    }
}
