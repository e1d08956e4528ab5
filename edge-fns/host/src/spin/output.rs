//! Standard output and error of components: lines for the log.

use super::Log;
use std::io::Result;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longer lines are cut into several.
const LINE: usize = 16 << 10;

/// What one call says. All streams to it write to the same lines.
#[derive(Clone)]
pub struct Output(Arc<Lines>);

struct Lines {
    component: String,
    log: Log,
    /// Lines that may still be written; further ones are left out.
    left: AtomicU32,
    begun: Mutex<Vec<u8>>,
}

impl Output {
    pub fn new(component: &str, log: &Log, lines: u32) -> Output {
        let lines = Lines {
            component: component.to_owned(),
            log: log.clone(),
            left: lines.into(),
            begun: Mutex::default(),
        };
        Output(Arc::new(lines))
    }

    fn take(&self, bytes: &[u8]) {
        let mut begun = self.0.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if *byte == b'\n' || begun.len() == LINE {
                self.0.say(&mut begun);
            }
            if *byte != b'\n' {
                begun.push(*byte);
            }
        }
    }
}

impl Lines {
    fn say(&self, begun: &mut Vec<u8>) {
        let line = std::mem::take(begun);
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        // A component that floods the log is not stopped by it: what it does matters more than what it says.
        if left.is_ok() {
            (self.log)(&self.component, &String::from_utf8_lossy(&line));
        }
    }
}

impl Drop for Lines {
    /// The last line need not have an end.
    fn drop(&mut self) {
        let mut begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        if !begun.is_empty() {
            self.say(&mut begun);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE)
    }
}
