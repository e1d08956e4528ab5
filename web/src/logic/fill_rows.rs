//! The user's fills as rows: those of `GET /fills`, and the same as they are told live.

use super::json::Json;
use super::order::Side;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillRow {
    /// The fill's name; both sides of it have the same.
    pub id: String,
    pub order_id: String,
    pub symbol: String,
    /// The symbol's event number.
    pub sequence: u64,
    pub side: Side,
    pub price: u64,
    pub quantity: u64,
    /// The user's order took what rested.
    pub is_taker: bool,
    pub time: u64,
}

impl FillRow {
    /// A row of `GET /fills`.
    pub fn read(json: &Json<'_>) -> Option<FillRow> {
        Some(FillRow {
            id: json.text("fill_id")?,
            order_id: json.text("order_id")?,
            symbol: json.text("symbol")?,
            sequence: json.whole("seq")?,
            side: Side::parse(json.str("side")?)?,
            price: json.whole("price")?,
            quantity: json.whole("quantity")?,
            is_taker: json.bool("taker")?,
            time: json.whole("t")?,
        })
    }

    /// A live message.
    pub fn told(json: &Json<'_>) -> Option<FillRow> {
        Some(FillRow {
            id: json.text("f")?,
            order_id: json.text("id")?,
            symbol: json.text("s")?,
            sequence: json.whole("n")?,
            side: Side::parse(json.str("sd")?)?,
            price: json.whole("p")?,
            quantity: json.whole("q")?,
            is_taker: json.bool("tk")?,
            time: json.whole("t")?,
        })
    }

    /// What tells it from all others: a user may be on both sides of a fill.
    pub fn name(&self) -> (String, bool) {
        (self.id.clone(), self.side == Side::Buy)
    }

    /// Newest first, as the server orders them.
    fn place(&self) -> (u64, u64, bool, &str) {
        (self.time, self.sequence, self.side == Side::Buy, &self.symbol)
    }
}

/// Takes rows up into others, newest first and each once.
pub fn merge(rows: &mut Vec<FillRow>, more: Vec<FillRow>) {
    rows.extend(more);
    rows.sort_by(|a, b| b.place().cmp(&a.place()).then_with(|| b.id.cmp(&a.id)));
    rows.dedup_by(|a, b| a.id == b.id && a.side == b.side);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_however_they_are_told() {
        let row = r#"{"fill_id":"TEST-12","order_id":"ord_1","symbol":"TEST","seq":12,"side":"BUY","price":150,"quantity":10,"taker":true,"t":5}"#;
        let told = r#"{"e":"fill","s":"TEST","n":12,"t":5,"f":"TEST-12","id":"ord_1","sd":"BUY","r":3,"p":150,"q":10,"tk":true}"#;
        let row = FillRow::read(&Json::parse(row).unwrap()).unwrap();
        assert_eq!(FillRow::told(&Json::parse(told).unwrap()), Some(row.clone()));
        assert_eq!(FillRow::read(&Json::parse(told).unwrap()), None);

        let other = FillRow { side: Side::Sell, order_id: "ord_2".into(), ..row.clone() };
        let later = FillRow { id: "TEST-13".into(), sequence: 13, ..row.clone() };
        let elsewhere =
            FillRow { id: "AAA-1".into(), symbol: "AAA".into(), sequence: 1, time: 9, ..row.clone() };
        let mut rows = vec![row.clone()];
        merge(&mut rows, vec![later.clone(), row.clone(), other.clone()]);
        merge(&mut rows, vec![elsewhere.clone(), later.clone()]);
        assert_eq!(rows, [elsewhere, later, row, other], "both sides of a trade with oneself");
    }
}
