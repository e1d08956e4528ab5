//! Key-value stores in memory, one a label, for all components of an application.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Bytes of keys and values in all stores together.
const ROOM: usize = 64 << 20;

#[derive(Debug, Default)]
pub struct Stores(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    stores: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    bytes: usize,
}

impl Stores {
    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn get(&self, label: &str, key: &str) -> Option<Vec<u8>> {
        self.with(|held| held.stores.get(label)?.get(key).cloned())
    }

    pub fn exists(&self, label: &str, key: &str) -> bool {
        self.with(|held| held.stores.get(label).is_some_and(|store| store.contains_key(key)))
    }

    pub fn keys(&self, label: &str) -> Vec<String> {
        self.with(|held| {
            held.stores.get(label).map(|store| store.keys().cloned().collect()).unwrap_or_default()
        })
    }

    /// Fails where there is no room; what was under the key stays then.
    pub fn set(&self, label: &str, key: String, value: Vec<u8>) -> Result<(), String> {
        self.with(|held| {
            let store = held.stores.entry(label.to_owned()).or_default();
            let old = store.get(&key).map_or(0, |old| key.len() + old.len());
            let bytes = held.bytes - old + key.len() + value.len();
            if bytes > ROOM {
                return Err(format!("the stores take {ROOM} bytes together"));
            }
            held.bytes = bytes;
            store.insert(key, value);
            Ok(())
        })
    }

    pub fn delete(&self, label: &str, key: &str) {
        self.with(|held| {
            if let Some(old) = held.stores.get_mut(label).and_then(|store| store.remove(key)) {
                held.bytes -= key.len() + old.len();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_through_replacing_and_deleting() {
        let stores = Stores::default();
        let half = ROOM / 2;
        stores.set("a", "k".into(), vec![1; half]).unwrap();
        stores.set("a", "k".into(), vec![2; half]).unwrap();
        stores.set("b", "k".into(), vec![3; half - 10]).unwrap();
        assert!(stores.set("b", "more".into(), vec![4; 10]).is_err());
        assert_eq!(stores.get("b", "more"), None);
        assert_eq!(stores.get("a", "k").map(|value| value[0]), Some(2));
        stores.delete("a", "k");
        stores.delete("a", "k");
        stores.set("b", "more".into(), vec![4; half]).unwrap();
        assert_eq!(stores.keys("b"), ["k", "more"]);
        assert_eq!(stores.with(|held| held.bytes), 1 + half - 10 + 4 + half);
    }
}
