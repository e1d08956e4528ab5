//! A run of the embedded exchange as a file: one symbol's commands as its market took them, from the orders stream.
//!
//! The exchange must not be running: its folder belongs to one process at a time. The file is a
//! [record](engine_core::flow::record); the sandbox plays it, `replay` sends it to another exchange.

use crate::backends::Log;
use crate::backends::embedded::streams::{EmbeddedStreams, shard_of};
use crate::engine;
use crate::up::claim;
use anyhow::{Context, bail};
use edge_fns::capability::Millis;
use engine_core::command::TimedCommand;
use engine_core::digest::state_hash;
use engine_core::flow::record::RecordWriter;
use engine_core::market::Market;
use engine_core::shard::{Output, Shard};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Records that are read at once.
const BATCH: usize = 4096;

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Symbol whose market is exported
    pub symbol: String,
    /// File to write; SYMBOL.snflow if none is named
    pub file: Option<PathBuf>,
    /// The exchange's folder
    #[arg(long, default_value = "data")]
    pub data: PathBuf,
    /// Begin with the market as it was at this time, in milliseconds since 1970
    #[arg(long, default_value_t = 0)]
    pub from: Millis,
    /// End before this time
    #[arg(long, default_value_t = Millis::MAX)]
    pub until: Millis,
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    pub commands: u64,
    /// The market's state after the last of them.
    pub state: u128,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let _lock = claim(&options.data, false)?;
    let streams = EmbeddedStreams::open(&options.data.join("streams"))?;
    let file = options.file.clone().unwrap_or_else(|| Path::new(&options.symbol).with_extension("snflow"));
    // A run that cannot be exported leaves no half of a file.
    let part = file.with_extension("part");
    let out = std::fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut out = std::io::BufWriter::new(out);
    let exported = export(&streams, &options, &mut out).await;
    let exported = exported.and_then(|exported| Ok((exported, out.flush()?)));
    let (exported, ()) = exported.inspect_err(|_| {
        // What is left behind is only in the way.
        let _ = std::fs::remove_file(&part);
    })?;
    std::fs::rename(&part, &file)?;
    println!("commands  {}", exported.commands);
    println!("state     {:032x}", exported.state);
    println!("file      {}", file.display());
    Ok(())
}

/// Writes a symbol's record.
pub async fn export(log: &dyn Log, options: &Options, out: &mut impl Write) -> anyhow::Result<Exported> {
    let stream = engine::Options::default();
    let (day_offset_s, stream) = (stream.day_offset_s, stream.orders_stream);
    let number = shard_of(&options.symbol, log.shards(&stream)?);
    let mut shard = Shard::new(day_offset_s);
    let mut writer = None;
    let mut output = Output::default();
    'all: loop {
        let records = log.read(&stream, number, shard.position(), BATCH).await?;
        let Some(first) = records.first() else { break };
        if first.sequence != shard.position() + 1 {
            bail!("the orders stream begins with record {}: what was before it is gone", first.sequence);
        }
        for record in &records {
            if record.arrived >= options.until {
                break 'all;
            }
            if writer.is_none() && record.arrived >= options.from {
                let empty = Market::new(day_offset_s);
                let market = shard.market(&options.symbol).unwrap_or(&empty);
                writer = Some(RecordWriter::new(&options.symbol, market));
            }
            output.clear();
            // A record that the engine passed over is passed over here as well.
            let _ = shard.apply_telling(
                record.sequence,
                record.arrived,
                &record.body,
                &mut output,
                &mut |symbol, time, command| {
                    if let Some(writer) = &mut writer
                        && symbol == options.symbol
                    {
                        writer.push(&TimedCommand { time, command: command.clone() });
                    }
                },
            );
        }
        if let Some(writer) = &mut writer {
            out.write_all(&writer.take())?;
        }
    }
    let (Some(writer), Some(market)) = (writer, shard.market(&options.symbol)) else {
        bail!("nothing was traded under {:?} then", options.symbol);
    };
    let exported = Exported { commands: writer.commands(), state: state_hash(market) };
    if exported.commands == 0 {
        bail!("nothing was asked of {:?} then", options.symbol);
    }
    out.write_all(&writer.finish(market))?;
    Ok(exported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_fns::capability::LogStreams;
    use edge_fns::capability::streams::Message;
    use sandbox::protocol::{Reply, Request};

    /// Orders of two symbols that share a stream, some of which trade.
    async fn traded(streams: &EmbeddedStreams) {
        for batch in 0..20u64 {
            let body = |n: u64| {
                let n = batch * 50 + n;
                let symbol = if n.is_multiple_of(3) { "NOBA" } else { "TEST" };
                let action = match n % 7 {
                    6 => format!(r#""action":"CANCEL","order_id":"ord-{}""#, n.saturating_sub(9)),
                    5 => {
                        format!(
                            r#""action":"REPLACE","price":101,"quantity":3,"order_id":"ord-{}""#,
                            n.saturating_sub(8)
                        )
                    }
                    _ => format!(
                        r#""action":"ADD","is_buy":{},"price":{},"quantity":{},"order_id":"ord-{n}""#,
                        n.is_multiple_of(2),
                        95 + n * 7 % 11,
                        1 + n % 9
                    ),
                };
                let body = format!(r#"{{{action},"symbol":"{symbol}","user_id":"user-{}"}}"#, n % 4);
                Message { partition: symbol.into(), body: body.into_bytes() }
            };
            streams.append("supernoba-orders", (0..50).map(body).collect()).await.unwrap();
        }
        streams.append_to_shard("supernoba-orders", 0, b"no order".to_vec()).await.unwrap();
    }

    /// What the engine's shards have come to.
    async fn state_of(streams: &EmbeddedStreams, symbol: &str) -> u128 {
        let options = engine::Options::default();
        let number = shard_of(symbol, 4);
        let mut shard = Shard::new(options.day_offset_s);
        for record in streams.read(&options.orders_stream, number, 0, usize::MAX).await.unwrap() {
            let _ = shard.apply(record.sequence, record.arrived, &record.body, &mut Output::default());
        }
        state_hash(shard.market(symbol).unwrap())
    }

    fn options(symbol: &str) -> Options {
        Options { symbol: symbol.into(), file: None, data: PathBuf::new(), from: 0, until: Millis::MAX }
    }

    #[tokio::test]
    async fn a_run_ends_in_the_sandbox_as_it_ended_here() {
        let folder = tempfile::tempdir().unwrap();
        let streams = EmbeddedStreams::open(folder.path()).unwrap();
        traded(&streams).await;
        for symbol in ["TEST", "NOBA"] {
            let mut bytes = Vec::new();
            let exported = export(&streams, &options(symbol), &mut bytes).await.unwrap();
            assert_eq!(exported.state, state_of(&streams, symbol).await);
            assert!(exported.commands > 300);

            let mut host = sandbox::host::Host::default();
            let mut done = |request| assert!(!matches!(host.answer(request), Reply::Refused { .. }));
            done(Request::Open { name: "run.snflow".into() });
            bytes.chunks(1_000).for_each(|chunk| done(Request::Chunk(chunk.to_vec())));
            done(Request::Close);
            while host.ready_session().is_none() {
                host.work(0, 10_000);
            }
            let session = host.ready_session().unwrap();
            session.advance(0, sandbox::session::Speed::Most, u64::MAX);
            assert_eq!((session.hash(), session.flow().symbol.as_str()), (exported.state, symbol));
        }
    }

    #[tokio::test]
    async fn a_part_begins_with_the_market_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let streams = EmbeddedStreams::open(folder.path()).unwrap();
        traded(&streams).await;
        let number = shard_of("TEST", 4);
        let records = streams.read("supernoba-orders", number, 0, usize::MAX).await.unwrap();
        let middle = records[records.len() / 2].arrived;
        let (mut whole, mut rest) = (Vec::new(), Vec::new());
        let all = export(&streams, &options("TEST"), &mut whole).await.unwrap();
        let part = Options { from: middle, ..options("TEST") };
        let later = export(&streams, &part, &mut rest).await.unwrap();
        assert_eq!(later.state, all.state);
        assert!(later.commands <= all.commands);
        assert!(export(&streams, &options("NONE"), &mut Vec::new()).await.is_err());
        let before = Options { until: 1, ..options("TEST") };
        assert!(export(&streams, &before, &mut Vec::new()).await.is_err());
    }
}
