//! From a long list of commands that goes wrong to a short one.

/// Removes what can be removed while `fails` goes on to hold: delta debugging, with a bound on its attempts, which
/// `PROPTEST_MAX_SHRINK_ITERS` sets as it sets that of proptest.
pub fn minimise<T: Clone>(items: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let set = std::env::var("PROPTEST_MAX_SHRINK_ITERS").ok().and_then(|text| text.parse().ok());
    let mut attempts: u32 = set.unwrap_or(5_000);
    let mut part = items.len().div_ceil(2).max(1);
    loop {
        let mut removed = false;
        let mut from = 0;
        while from < items.len() && attempts > 0 {
            attempts -= 1;
            let to = (from + part).min(items.len());
            let fewer: Vec<T> = items[..from].iter().chain(&items[to..]).cloned().collect();
            if fails(&fewer) {
                items = fewer;
                removed = true;
            } else {
                from = to;
            }
        }
        if attempts == 0 || (part == 1 && !removed) {
            return items;
        }
        if part > 1 {
            part = part.div_ceil(2);
        }
    }
}
