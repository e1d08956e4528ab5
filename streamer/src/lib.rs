//! The streamer: what the engine writes into the cache goes to the connections that asked for it.
//!
//! Logged-in users are served every 50 ms, anonymous ones every 500 ms. Who wants what is kept in memory: told by changes
//! of the cache's keys where the cache can tell, and read anew every few seconds in any case. A message is made once a
//! symbol, and only when what it shows has changed; a new subscriber gets the current state at once.
//!
//! This crate must not know how the market data came to be: it reads keys and pushes messages.

mod feed;
mod subscriptions;

use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Cache, Connections, Result};
use feed::{Feed, Shown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use subscriptions::Subscriptions;
use tokio::sync::{broadcast, watch};
use tokio::time::MissedTickBehavior;

#[derive(Clone, Debug)]
pub struct Options {
    /// How often logged-in users are served.
    pub fast: Duration,
    /// Anonymous users are served every so many fast rounds.
    pub slow_rounds: u32,
    /// Subscriptions are read anew after so many fast rounds, whatever was told in between.
    pub sync_rounds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { fast: Duration::from_millis(50), slow_rounds: 10, sync_rounds: 100 }
    }
}

pub struct Streamer {
    cache: Arc<dyn Cache>,
    connections: Arc<dyn Connections>,
    /// Names of changed keys, where the cache can tell.
    changes: Option<broadcast::Receiver<Arc<str>>>,
    options: Options,
    subscriptions: Subscriptions,
    feeds: BTreeMap<String, Feed>,
    /// What each class of connections has been shown, by symbol.
    fast_shown: BTreeMap<String, Shown>,
    slow_shown: BTreeMap<String, Shown>,
    /// Who has been given the current state of a symbol; until the next round of its class, also what that was: it is
    /// not news to them then.
    greeted: BTreeMap<String, BTreeMap<(String, bool), Option<Shown>>>,
}

impl Streamer {
    pub fn new(
        cache: Arc<dyn Cache>,
        connections: Arc<dyn Connections>,
        changes: Option<broadcast::Receiver<Arc<str>>>,
        options: Options,
    ) -> Streamer {
        Streamer {
            cache,
            connections,
            changes,
            options,
            subscriptions: Subscriptions::default(),
            feeds: BTreeMap::new(),
            fast_shown: BTreeMap::new(),
            slow_shown: BTreeMap::new(),
            greeted: BTreeMap::new(),
        }
    }

    /// Serves until told to stop. A round that fails is logged, and the next one tries again.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(self.options.fast);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0u32;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.round(round).await {
                tracing::warn!(%error, "a streamer round failed");
            }
            round = round.wrapping_add(1);
        }
    }

    async fn round(&mut self, round: u32) -> Result<()> {
        let changed = self.changed_subscriptions();
        if round.is_multiple_of(self.options.sync_rounds.max(1)) || changed.is_none() {
            self.subscriptions.read_all(self.cache.as_ref()).await?;
        } else if let Some(changed) = changed
            && !changed.is_empty()
        {
            self.subscriptions.read(self.cache.as_ref(), &changed).await?;
        }
        let symbols: Vec<String> = self.subscriptions.symbols().cloned().collect();
        feed::read(self.cache.as_ref(), &symbols, &mut self.feeds).await?;
        self.feeds.retain(|symbol, _| symbols.contains(symbol));
        let slow_too = round.is_multiple_of(self.options.slow_rounds.max(1));
        let pushes = self.collect(slow_too);
        self.push(pushes).await
    }

    /// Symbols whose subscriptions have changed; `None` when that is not known.
    fn changed_subscriptions(&mut self) -> Option<BTreeSet<String>> {
        let changes = self.changes.as_mut()?;
        let mut symbols = BTreeSet::new();
        loop {
            match changes.try_recv() {
                Ok(key) if &*key == "realtime:connections" || &*key == "subscribed:symbols" => return None,
                Ok(key) => {
                    if let Some(symbol) = key.strip_prefix("symbol:").and_then(|rest| rest.rsplit_once(':')) {
                        symbols.insert(symbol.0.to_string());
                    }
                }
                Err(broadcast::error::TryRecvError::Empty) => return Some(symbols),
                Err(_) => return None,
            }
        }
    }

    /// What has to be said to whom in this round.
    fn collect(&mut self, slow_too: bool) -> Vec<Push> {
        let mut pushes = Vec::new();
        for (symbol, feed) in &self.feeds {
            let Some(wanted) = self.subscriptions.of(symbol) else { continue };
            let greeted = self.greeted.entry(symbol.clone()).or_default();
            greeted.retain(
                |(id, main), _| if *main { wanted.main.contains(id) } else { wanted.sub.contains(id) },
            );
            let classes = [(true, &mut self.fast_shown, true), (false, &mut self.slow_shown, slow_too)];
            for (fast, shown, due) in classes {
                let of_class = |id: &&String| self.subscriptions.is_fast(id) == fast;
                let main: Vec<String> = wanted.main.iter().filter(of_class).cloned().collect();
                // Who has the symbol as main and on the board gets the ticker once.
                let sub: Vec<String> = wanted
                    .sub
                    .iter()
                    .filter(of_class)
                    .filter(|id| !wanted.main.contains(*id))
                    .cloned()
                    .collect();
                if due {
                    let news = feed.news(shown.entry(symbol.clone()).or_default());
                    let (mut known_main, mut known_sub) = (Vec::new(), Vec::new());
                    for (ids, is_main) in [(&main, true), (&sub, false)] {
                        for id in ids {
                            let Some(since) = greeted.get_mut(&(id.clone(), is_main)) else { continue };
                            match since.take() {
                                // Greeted between two rounds of the class: its own news, then it has caught up.
                                Some(mut since) => {
                                    let news = feed.news(&mut since).into_iter();
                                    let news = news.filter(|message| is_main || message.for_board);
                                    pushes.extend(
                                        news.map(|message| Push { to: vec![id.clone()], body: message.body }),
                                    );
                                }
                                None if is_main => known_main.push(id.clone()),
                                None => known_sub.push(id.clone()),
                            }
                        }
                    }
                    for message in news {
                        let mut to = known_main.clone();
                        if message.for_board {
                            to.extend(known_sub.iter().cloned());
                        }
                        if !to.is_empty() {
                            pushes.push(Push { to, body: message.body });
                        }
                    }
                }
                for (ids, is_main) in [(main, true), (sub, false)] {
                    let new = ids.into_iter().filter(|id| !greeted.contains_key(&(id.clone(), is_main)));
                    let new: Vec<String> = new.collect();
                    for id in &new {
                        greeted.insert((id.clone(), is_main), (!due).then(|| feed.all_shown()));
                    }
                    if !new.is_empty() {
                        let state = feed.state().into_iter().filter(|message| is_main || message.for_board);
                        pushes.extend(state.map(|message| Push { to: new.clone(), body: message.body }));
                    }
                }
            }
        }
        self.fast_shown.retain(|symbol, _| self.feeds.contains_key(symbol));
        self.slow_shown.retain(|symbol, _| self.feeds.contains_key(symbol));
        self.greeted.retain(|symbol, _| self.feeds.contains_key(symbol));
        pushes
    }

    async fn push(&mut self, pushes: Vec<Push>) -> Result<()> {
        if pushes.is_empty() {
            return Ok(());
        }
        let targets: Vec<Vec<String>> = pushes.iter().map(|push| push.to.clone()).collect();
        let answered = self.connections.post(pushes).await;
        let (mut gone, mut missed) = (BTreeSet::new(), BTreeSet::new());
        match &answered {
            Ok(answers) => {
                for (id, answer) in
                    targets.iter().zip(answers).flat_map(|(to, answers)| to.iter().zip(answers))
                {
                    match answer {
                        Ok(Delivery::Sent) => {}
                        Ok(Delivery::Gone) => drop(gone.insert(id.clone())),
                        Err(_) => drop(missed.insert(id)),
                    }
                }
            }
            Err(_) => missed.extend(targets.iter().flatten()),
        }
        if !missed.is_empty() {
            tracing::debug!(connections = missed.len(), "messages were not pushed");
            // Whoever may have missed something is given the whole state in the next round.
            for greeted in self.greeted.values_mut() {
                greeted.retain(|(id, _), _| !missed.contains(id));
            }
        }
        answered?;
        if !gone.is_empty() {
            self.subscriptions.forget(self.cache.as_ref(), &gone).await?;
        }
        Ok(())
    }
}
