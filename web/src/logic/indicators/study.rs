//! An indicator at work on a chart.

use super::{Bollinger, Ema, Kind, Ma, Macd, Rsi, Running, Setting, Values, Vwap};
use engine_core::candle::Candle;

/// The values of all lines of a setting at one candle.
pub type Figures = Values;

/// A setting's indicators, running. One period, one line: three moving averages are three indicators of one line each, where
/// bands are one indicator of three lines.
#[derive(Clone, Debug)]
pub struct Study {
    pub setting: Setting,
    day_offset_s: u64,
    running: Work,
}

#[derive(Clone, Debug)]
enum Work {
    Ma(Box<[Running<Ma>; 3]>),
    Ema([Running<Ema>; 2]),
    Bollinger(Running<Bollinger>),
    Vwap(Running<Vwap>),
    Rsi(Running<Rsi>),
    Macd(Running<Macd>),
}

impl Work {
    fn new(setting: &Setting, day_offset_s: u64) -> Work {
        let [first, second, third] = setting.numbers;
        match setting.kind {
            Kind::Ma => {
                Work::Ma(Box::new([first, second, third].map(|period| Running::new(Ma::new(period)))))
            }
            Kind::Ema => Work::Ema([first, second].map(|period| Running::new(Ema::new(period)))),
            Kind::Bollinger => Work::Bollinger(Running::new(Bollinger::new(first, second))),
            Kind::Vwap => Work::Vwap(Running::new(Vwap::new(day_offset_s))),
            Kind::Rsi => Work::Rsi(Running::new(Rsi::new(first))),
            Kind::Macd => Work::Macd(Running::new(Macd::new(first, second, third))),
        }
    }
}

impl Study {
    pub fn new(setting: Setting, day_offset_s: u64) -> Study {
        Study { setting, day_offset_s, running: Work::new(&setting, day_offset_s) }
    }

    /// Number of lines.
    pub fn lines(&self) -> usize {
        match self.setting.kind {
            Kind::Ma | Kind::Bollinger | Kind::Macd => 3,
            Kind::Ema => 2,
            Kind::Vwap | Kind::Rsi => 1,
        }
    }

    /// Computes from the start.
    pub fn restart(&mut self, candles: &[Candle]) -> Vec<Figures> {
        self.running = Work::new(&self.setting, self.day_offset_s);
        // Candles ascend, so each is taken.
        candles.iter().filter_map(|candle| self.update(candle)).collect()
    }

    /// The newest candle as it is now, or the one that follows it; `None` for older ones.
    pub fn update(&mut self, candle: &Candle) -> Option<Figures> {
        let first = |values: Option<Values>| values.map(|values| values[0]);
        match &mut self.running {
            Work::Ma(averages) => {
                let [short, middle, long] = averages.as_mut();
                let [short, middle, long] = [short, middle, long].map(|ma| first(ma.update(candle)));
                Some([short?, middle?, long?])
            }
            Work::Ema([fast, slow]) => {
                let [fast, slow] = [fast, slow].map(|ema| first(ema.update(candle)));
                Some([fast?, slow?, None])
            }
            Work::Bollinger(bands) => bands.update(candle),
            Work::Vwap(vwap) => vwap.update(candle),
            Work::Rsi(rsi) => rsi.update(candle),
            Work::Macd(macd) => macd.update(candle),
        }
    }
}
