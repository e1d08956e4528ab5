//! Functions that run now and then.
//!
//! One task a function: it runs at the start, to mend what the last process left, and then once a period. A run that takes
//! longer than its period delays the next one; runs of one function never overlap. What a run could not do, the next one
//! finds: the functions are written so that each run begins from what is there.

use edge_fns::capability::Millis;
use edge_host::{EdgeHost, Timer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// A function and how often it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub function: &'static str,
    pub every: Duration,
}

/// The running timers.
pub struct Timers {
    tasks: Vec<JoinHandle<()>>,
}

impl Timers {
    pub fn start(
        functions: &EdgeHost,
        schedules: &[Schedule],
        now: Arc<dyn Fn() -> Millis + Send + Sync>,
        stop: &watch::Receiver<bool>,
    ) -> Timers {
        let start =
            |schedule: &Schedule| tokio::spawn(run(functions.clone(), *schedule, now.clone(), stop.clone()));
        Timers { tasks: schedules.iter().map(start).collect() }
    }

    /// Waits for the runs in work; tell them to stop first.
    pub async fn stopped(self) {
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a timer had panicked");
            }
        }
    }
}

async fn run(
    functions: EdgeHost,
    Schedule { function, every }: Schedule,
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // An error says that the sender is gone, which is a stop too.
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        let timer = Timer { name: function.into(), due: now() };
        match functions.timer(function, &timer).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(function, %error, "a timer could not do all its work"),
            Err(error) => tracing::error!(function, %error, "a timer's function did not answer"),
        }
    }
}
