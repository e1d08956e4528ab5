//! Trades and candles as Parquet, a file of at most so many rows each.

use crate::backends::records::Trade;
use anyhow::{Context, bail, ensure};
use engine_core::candle::Candle;
use parquet::basic::Compression;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows that are written and read together.
const GROUP: usize = 100_000;

const TRADES: &str = "message trade {
    required binary fill_id (UTF8);
    required binary symbol (UTF8);
    required int64 seq;
    required int64 executed_at (TIMESTAMP_MILLIS);
    required int64 price;
    required int64 quantity;
    required binary buyer_order (UTF8);
    required binary buyer_user (UTF8);
    required binary seller_order (UTF8);
    required binary seller_user (UTF8);
    required binary taker (UTF8);
}";

const CANDLES: &str = "message candle {
    required int64 time (TIMESTAMP_MILLIS);
    required int64 open;
    required int64 high;
    required int64 low;
    required int64 close;
    required int64 volume;
}";

enum Column {
    Text(Vec<ByteArray>),
    Number(Vec<i64>),
}

pub fn of_trades(trades: &[Trade]) -> anyhow::Result<Vec<u8>> {
    written(TRADES, trades, |trades| {
        let text =
            |of: fn(&Trade) -> &str| Column::Text(trades.iter().map(|trade| of(trade).into()).collect());
        let number = |of: fn(&Trade) -> i64| Column::Number(trades.iter().map(of).collect());
        Ok(vec![
            text(|trade| &trade.fill_id),
            text(|trade| &trade.symbol),
            number(|trade| trade.seq),
            number(|trade| trade.executed_at),
            number(|trade| trade.price),
            number(|trade| trade.quantity),
            text(|trade| &trade.buyer_order),
            text(|trade| &trade.buyer_user),
            text(|trade| &trade.seller_order),
            text(|trade| &trade.seller_user),
            text(|trade| &trade.taker),
        ])
    })
}

pub fn of_candles(candles: &[Candle]) -> anyhow::Result<Vec<u8>> {
    written(CANDLES, candles, |candles| {
        let number = |of: fn(&Candle) -> u64| {
            let whole = candles.iter().map(|candle| i64::try_from(of(candle)));
            whole.collect::<Result<_, _>>().map(Column::Number).context("a candle is past what a file holds")
        };
        Ok(vec![
            number(|candle| candle.time.saturating_mul(1000))?,
            number(|candle| candle.open)?,
            number(|candle| candle.high)?,
            number(|candle| candle.low)?,
            number(|candle| candle.close)?,
            number(|candle| candle.volume)?,
        ])
    })
}

fn written<T>(
    schema: &str,
    rows: &[T],
    columns: impl Fn(&[T]) -> anyhow::Result<Vec<Column>>,
) -> anyhow::Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut file, Arc::new(parse_message_type(schema)?), Arc::new(properties))?;
    for rows in rows.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        for column in columns(rows)? {
            let mut place = group.next_column()?.context("the schema has fewer columns")?;
            match column {
                Column::Text(values) => place.typed::<ByteArrayType>().write_batch(&values, None, None)?,
                Column::Number(values) => place.typed::<Int64Type>().write_batch(&values, None, None)?,
            };
            place.close()?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(file)
}

pub fn trades_in(file: Vec<u8>) -> anyhow::Result<Vec<Trade>> {
    let mut trades = Vec::new();
    read(TRADES, file, |columns| {
        let [
            fill_id,
            symbol,
            seq,
            executed_at,
            price,
            quantity,
            buyer_order,
            buyer_user,
            seller_order,
            seller_user,
            taker,
        ] = columns
        else {
            bail!("a trade has eleven columns")
        };
        for row in 0..seq.len() {
            trades.push(Trade {
                fill_id: fill_id.text(row)?,
                symbol: symbol.text(row)?,
                seq: seq.number(row)?,
                executed_at: executed_at.number(row)?,
                price: price.number(row)?,
                quantity: quantity.number(row)?,
                buyer_order: buyer_order.text(row)?,
                buyer_user: buyer_user.text(row)?,
                seller_order: seller_order.text(row)?,
                seller_user: seller_user.text(row)?,
                taker: taker.text(row)?,
            });
        }
        Ok(())
    })?;
    Ok(trades)
}

pub fn candles_in(file: Vec<u8>) -> anyhow::Result<Vec<Candle>> {
    let mut candles = Vec::new();
    read(CANDLES, file, |columns| {
        let [time, open, high, low, close, volume] = columns else { bail!("a candle has six columns") };
        for row in 0..time.len() {
            let number = |column: &Column| u64::try_from(column.number(row)?).context("a number below zero");
            candles.push(Candle {
                time: number(time)? / 1000,
                open: number(open)?,
                high: number(high)?,
                low: number(low)?,
                close: number(close)?,
                volume: number(volume)?,
            });
        }
        Ok(())
    })?;
    Ok(candles)
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Column::Text(values) => values.len(),
            Column::Number(values) => values.len(),
        }
    }

    fn text(&self, row: usize) -> anyhow::Result<String> {
        match self {
            Column::Text(values) => {
                Ok(values.get(row).context("a column is shorter than the others")?.as_utf8()?.to_owned())
            }
            Column::Number(_) => bail!("text was due"),
        }
    }

    fn number(&self, row: usize) -> anyhow::Result<i64> {
        match self {
            Column::Number(values) => values.get(row).copied().context("a column is shorter than the others"),
            Column::Text(_) => bail!("a number was due"),
        }
    }
}

/// The library panics over some of what is broken; nothing that it had in work is used after that.
fn read(
    schema: &str,
    file: Vec<u8>,
    take: impl FnMut(&[Column]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    catch_unwind(AssertUnwindSafe(|| read_columns(schema, file, take)))
        .unwrap_or_else(|_| bail!("the file is broken"))
}

fn read_columns(
    schema: &str,
    file: Vec<u8>,
    mut take: impl FnMut(&[Column]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(file))?;
    let expected = parse_message_type(schema)?;
    let found = reader.metadata().file_metadata().schema();
    ensure!(found.get_fields() == expected.get_fields(), "the columns are others: {found:?}");
    for n in 0..reader.num_row_groups() {
        let group = reader.get_row_group(n)?;
        let rows = usize::try_from(group.metadata().num_rows())?;
        let mut columns = Vec::new();
        for n in 0..group.num_columns() {
            let column = group.get_column_reader(n)?;
            columns.push(match found.get_fields()[n].get_physical_type() {
                parquet::basic::Type::INT64 => {
                    let mut values = Vec::new();
                    let mut column = get_typed_column_reader::<Int64Type>(column);
                    while values.len() < rows
                        && column.read_records(rows - values.len(), None, None, &mut values)?.0 > 0
                    {
                    }
                    Column::Number(values)
                }
                _ => {
                    let mut values = Vec::new();
                    let mut column = get_typed_column_reader::<ByteArrayType>(column);
                    while values.len() < rows
                        && column.read_records(rows - values.len(), None, None, &mut values)?.0 > 0
                    {
                    }
                    Column::Text(values)
                }
            });
        }
        ensure!(columns.iter().all(|column| column.len() == rows), "a column is shorter than the others");
        take(&columns)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trade() -> impl Strategy<Value = Trade> {
        let text = || "\\PC{0,12}";
        ((text(), text(), any::<i64>(), any::<i64>()), (any::<i64>(), any::<i64>(), text(), text())).prop_map(
            |((fill_id, symbol, seq, executed_at), (price, quantity, order, user))| Trade {
                fill_id,
                symbol,
                seq,
                executed_at,
                price,
                quantity,
                buyer_order: order.clone(),
                buyer_user: user.clone(),
                seller_order: user,
                seller_user: order,
                taker: "BUY".into(),
            },
        )
    }

    proptest! {
        #[test]
        fn trades_come_back(trades in proptest::collection::vec(trade(), 0..200)) {
            prop_assert_eq!(trades_in(of_trades(&trades).unwrap()).unwrap(), trades);
        }

        #[test]
        fn candles_come_back(numbers in proptest::collection::vec(0..i64::MAX as u64 / 1000, 6)) {
            let [time, open, high, low, close, volume] = numbers[..] else { unreachable!() };
            let candles = vec![Candle { time, open, high, low, close, volume }; 3];
            prop_assert_eq!(candles_in(of_candles(&candles).unwrap()).unwrap(), candles);
        }

        /// Whatever is broken is refused, and nothing panics.
        #[test]
        fn what_is_broken_is_refused(at in any::<proptest::sample::Index>(), bit in 0..8u32) {
            let candles = [Candle { time: 60, open: 1, high: 2, low: 1, close: 2, volume: 3 }; 5];
            let mut file = of_candles(&candles).unwrap();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            // The manifest's digest finds what the format itself does not.
            let _ = candles_in(file.clone());
            file.truncate(at);
            prop_assert!(candles_in(file).is_err());
        }
    }

    #[test]
    fn files_of_other_columns_are_refused() {
        assert!(trades_in(of_candles(&[]).unwrap()).is_err());
        assert!(candles_in(b"not a file".to_vec()).is_err());
    }
}
