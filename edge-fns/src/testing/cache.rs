//! The cache, in memory. Nothing expires; the scripts are those that the functions run.

use super::{Memory, State};
use crate::capability::cache::{Command, Reply};
use crate::capability::{Cache, Error, Result};
use crate::scripts::DROP_OLDEST;
use async_trait::async_trait;
use std::collections::BTreeSet;

#[async_trait]
impl Cache for Memory {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.call(|state| Ok(commands.into_iter().map(|command| state.run(command)).collect()))
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        self.call(|state| commands.into_iter().map(|command| state.run(command)).collect())
    }
}

impl State {
    fn run(&mut self, command: Command) -> Result<Reply> {
        let optional = |value: Option<&Vec<u8>>| value.cloned().map_or(Reply::Nil, Reply::Bytes);
        let count = |n: usize| Reply::Integer(n as i64);
        Ok(match command {
            Command::Get(key) => optional(self.strings.get(&key)),
            Command::Mget(keys) => {
                Reply::Values(keys.iter().map(|key| self.strings.get(key).cloned()).collect())
            }
            Command::Set(key, ..) if self.strings.contains_key(&key) && is_conditional(&command) => {
                Reply::Nil
            }
            Command::Set(key, value, _) => {
                self.strings.insert(key, value);
                Reply::Done
            }
            Command::Del(keys) => count(keys.iter().filter(|key| self.delete(key)).count()),
            Command::Expire(key, 0) => count(usize::from(self.delete(&key))),
            Command::Expire(..) => count(1),
            Command::Sadd(key, members) => {
                let set = self.sets.entry(key).or_default();
                count(members.into_iter().filter(|member| set.insert(member.clone())).count())
            }
            Command::Srem(key, members) => {
                let set = self.sets.entry(key.clone()).or_default();
                let removed = members.iter().filter(|member| set.remove(*member)).count();
                if set.is_empty() {
                    self.sets.remove(&key);
                }
                count(removed)
            }
            Command::Sismember(key, member) => {
                count(usize::from(self.sets.get(&key).is_some_and(|set| set.contains(&member))))
            }
            Command::Smembers(key) => {
                Reply::Values(self.sets.get(&key).into_iter().flatten().cloned().map(Some).collect())
            }
            Command::Hgetall(key) => {
                let fields = self.hashes.get(&key).into_iter().flatten();
                Reply::Pairs(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Command::Hset(key, fields) => {
                self.hashes.entry(key).or_default().extend(fields);
                Reply::Done
            }
            Command::Lpush(key, values) => {
                let list = self.lists.entry(key).or_default();
                values.into_iter().for_each(|value| list.push_front(value));
                count(list.len())
            }
            Command::Lrange(key, start, stop) => {
                let list = self.lists.get(&key);
                let (from, to) = bounds(list.map_or(0, |list| list.len()), start, stop);
                Reply::Values(list.into_iter().flatten().take(to).skip(from).cloned().map(Some).collect())
            }
            Command::Ltrim(key, start, stop) => {
                if let Some(list) = self.lists.get_mut(&key) {
                    let (from, to) = bounds(list.len(), start, stop);
                    *list = list.iter().take(to).skip(from).cloned().collect();
                }
                Reply::Done
            }
            Command::Scan { cursor, pattern, count: asked } => {
                let keys = self.keys();
                let from = usize::try_from(cursor).unwrap_or(usize::MAX).min(keys.len());
                let to = from.saturating_add(asked.max(1) as usize).min(keys.len());
                let found = keys[from..to].iter().filter(|key| matches(&pattern, key)).cloned().collect();
                Reply::Page(if to == keys.len() { 0 } else { to as u64 }, found)
            }
            Command::Eval { name, keys, args } if name == DROP_OLDEST => {
                let [key] = &keys[..] else { return Err(Error::Invalid("drop_oldest takes one key".into())) };
                let Some(list) = self.lists.get_mut(key) else { return Ok(count(0)) };
                let taken = args.iter().zip(list.iter().rev()).take_while(|(a, b)| a == b).count();
                list.truncate(list.len() - taken);
                if list.is_empty() {
                    self.lists.remove(key);
                }
                count(taken)
            }
            Command::Eval { name, .. } => {
                return Err(Error::Denied(format!("there is no script {name:?}")));
            }
        })
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: BTreeSet<&String> = self.strings.keys().collect();
        keys.extend(self.sets.keys());
        keys.extend(self.hashes.keys());
        keys.extend(self.lists.keys());
        keys.into_iter().cloned().collect()
    }

    fn delete(&mut self, key: &str) -> bool {
        let removed = [
            self.strings.remove(key).is_some(),
            self.sets.remove(key).is_some(),
            self.hashes.remove(key).is_some(),
            self.lists.remove(key).is_some(),
        ];
        removed.contains(&true)
    }
}

/// Whether a key is of a pattern whose only sign is `*`.
fn matches(pattern: &str, key: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == key };
    let Some(left) = key.strip_prefix(first) else { return false };
    (0..=left.len()).any(|n| left.is_char_boundary(n) && matches(rest, &left[n..]))
}

fn is_conditional(command: &Command) -> bool {
    matches!(command, Command::Set(_, _, options) if options.only_if_absent)
}

/// Inclusive bounds, negative ones from the end, as a half-open range.
fn bounds(len: usize, start: i64, stop: i64) -> (usize, usize) {
    let at = |n: i64| if n < 0 { (len as i64 + n).max(0) } else { n.min(len as i64) };
    let to = if stop < -(len as i64) { 0 } else { at(stop) + 1 };
    (at(start) as usize, (to as usize).min(len))
}
