//! Starred symbols, as a line of text between visits.

use engine_core::wire::is_symbol;

pub fn decode(text: &str) -> Vec<String> {
    text.split(',').filter(|symbol| is_symbol(symbol)).map(str::to_owned).collect()
}

pub fn encode(stars: &[String]) -> String {
    stars.join(",")
}

/// Whether a symbol is shown: what is searched for is in its name, and only stars are if so wished.
pub fn is_wanted(symbol: &str, searched: &str, only_stars: bool, stars: &[String]) -> bool {
    (!only_stars || stars.iter().any(|star| star == symbol))
        && symbol.contains(&searched.trim().to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_survive_a_visit_and_nonsense_does_not() {
        let stars = decode("NOBA,TEST,,<b>,test");
        assert_eq!(encode(&stars), "NOBA,TEST");
        assert_eq!(decode(&encode(&stars)), stars);
        assert!(is_wanted("TEST", " te", false, &stars) && is_wanted("TEST", "", true, &stars));
        assert!(!is_wanted("AAA", "", true, &stars) && !is_wanted("TEST", "x", false, &stars));
    }
}
