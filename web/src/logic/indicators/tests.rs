//! Each indicator against its definition, written out over whole slices and in floating point nowhere but where a root is
//! checked; and every way of updating against computing from the start.

use super::*;
use engine_core::candle::{Interval, SEOUL_DAY_OFFSET_S, Seconds};
use proptest::prelude::*;

const START: Seconds = 1_765_894_800;

fn candle(number: u64, close: u64) -> Candle {
    Candle { time: START + number * 60, open: close, high: close, low: close, close, volume: 1 }
}

fn closes(closes: &[u64]) -> Vec<Candle> {
    closes.iter().zip(0..).map(|(close, number)| candle(number, *close)).collect()
}

fn all<I: Indicator>(indicator: I, candles: &[Candle]) -> Vec<Values> {
    let mut running = Running::new(indicator);
    candles.iter().map(|candle| running.update(candle).expect("they ascend")).collect()
}

fn firsts(values: &[Values]) -> Vec<Option<Scaled>> {
    values.iter().map(|values| values[0]).collect()
}

/// To the nearest, halves away from zero, by another way than the code's.
fn nearest(value: Scaled, by: Scaled) -> Scaled {
    let up = (2 * value.abs() + by) / (2 * by);
    up * value.signum()
}

#[test]
fn averages_by_hand() {
    let candles = closes(&[10, 11, 12, 20]);
    assert_eq!(firsts(&all(Ma::new(3), &candles)), [None, None, Some(110_000), Some(143_333)]);
    // (10+11+12)/3 = 11; 11 + (20-11)·2/4 = 15.5
    assert_eq!(firsts(&all(Ema::new(3), &candles)), [None, None, Some(110_000), Some(155_000)]);
}

#[test]
fn bands_by_hand() {
    // Mean 5, deviation 2: the textbook's population.
    let candles = closes(&[2, 4, 4, 4, 5, 5, 7, 9]);
    let bands = all(Bollinger::new(8, 20), &candles);
    assert_eq!(bands[7], [Some(50_000), Some(90_000), Some(10_000)]);
    assert_eq!(bands[6], [None; 3]);
}

#[test]
fn strength_by_hand() {
    let index = |list: &[u64]| all(Rsi::new(2), &closes(list)).last().unwrap()[0];
    assert_eq!(index(&[10, 12]), None, "one change of two");
    assert_eq!(index(&[10, 12, 11]), Some(666_667), "2 of 3");
    assert_eq!(index(&[10, 12, 11, 11]), Some(666_667), "standing still keeps the weights");
    assert_eq!(index(&[10, 11, 12]), Some(1_000_000));
    assert_eq!(index(&[12, 11, 10]), Some(0));
    assert_eq!(index(&[10, 10, 10]), Some(500_000));
}

#[test]
fn the_day_of_the_volume_weighted_price_is_the_exchanges() {
    let day = Interval::D1.bucket(START, SEOUL_DAY_OFFSET_S) + 86_400;
    let at = |time, close, volume| Candle { time, volume, ..candle(0, close) };
    let candles = [at(day - 60, 500, 9), at(day, 100, 1), at(day + 60, 200, 3)];
    let values = firsts(&all(Vwap::new(SEOUL_DAY_OFFSET_S), &candles));
    assert_eq!(values, [Some(5_000_000), Some(1_000_000), Some(1_750_000)]);
    assert_eq!(firsts(&all(Vwap::new(0), &[at(day, 100, 0)])), [None], "without volume there is no price");
}

#[test]
fn the_largest_candles_do_not_overflow() {
    let largest = |number| Candle { volume: u64::MAX, ..candle(number, u64::MAX) };
    let wild: Vec<_> = (0..900).map(|n| if n % 2 == 0 { largest(n) } else { candle(n, 0) }).collect();
    for kind in Kind::ALL {
        let mut settings = Settings::default();
        for place in 0..kind.parameters().len() {
            assert!(settings.set(kind, place, MAX_PERIOD));
        }
        let mut study = Study::new(settings.of(kind), 0);
        assert_eq!(study.restart(&wild).len(), wild.len(), "{kind:?}");
    }
}

#[test]
fn settings_are_remembered() {
    let mut settings = Settings::default();
    assert_eq!(Settings::decode(&settings.encode()), settings);
    settings.turn(Kind::Rsi, true);
    settings.turn(Kind::Ma, false);
    assert!(settings.set(Kind::Rsi, 0, 9) && settings.set(Kind::Macd, 2, 7));
    assert_eq!(Settings::decode(&settings.encode()), settings);
    assert!(settings.encode().starts_with("ma-5,20,60;ema-12,26;"));

    for number in [0, MAX_PERIOD + 1] {
        assert!(!settings.set(Kind::Rsi, 0, number));
    }
    assert!(!settings.set(Kind::Vwap, 0, 5), "it has no numbers");
    for nonsense in ["", ";;", "ma", "ma+x,,999999", "new+1;\u{1f600}-", "+", "rsi"] {
        assert_eq!(Settings::decode(nonsense).of(Kind::Ma).numbers, [5, 20, 60], "{nonsense}");
    }
    settings.reset();
    assert_eq!(settings.of(Kind::Rsi), Setting { kind: Kind::Rsi, on: true, numbers: [14, 0, 0] });
}

/// Candles as a market makes them: some minutes without a trade, several days.
fn market() -> impl Strategy<Value = Vec<Candle>> {
    let step = (1u64..400, 1u64..2_000, 0u64..50, 0u64..50, 0u64..500);
    proptest::collection::vec(step, 1..120).prop_map(|steps| {
        let mut time = START;
        let candle = |(gap, low, close, spread, volume): (u64, u64, u64, u64, u64)| {
            time += gap * 60;
            let high = low + close + spread;
            Candle { time, open: low, high, low, close: low + close, volume }
        };
        steps.into_iter().map(candle).collect()
    })
}

/// An EMA by its definition, over values in parts of SCALE.
fn naive_ema(values: &[Scaled], period: usize) -> Vec<Option<Scaled>> {
    let mut average: Option<Scaled> = None;
    let step = |(place, value): (usize, &Scaled)| {
        average = match average {
            None if place + 1 < period => None,
            None => Some(nearest(values[..period].iter().sum(), period as Scaled)),
            Some(before) => Some(before + nearest((value - before) * 2, period as Scaled + 1)),
        };
        average
    };
    values.iter().enumerate().map(step).collect()
}

proptest! {
    #[test]
    fn rounding_is_to_the_nearest(value in -10_000i128..10_000, by in 1i128..50) {
        prop_assert_eq!(divided(value, by), nearest(value, by));
    }

    #[test]
    fn simple_averages_are_means(candles in market(), period in 1usize..30) {
        let ours = firsts(&all(Ma::new(period as u32), &candles));
        for (end, ours) in (1usize..).zip(ours) {
            let naive = end.checked_sub(period).map(|start| {
                let sum: Scaled = candles[start..end].iter().map(|candle| Scaled::from(candle.close)).sum();
                nearest(sum * SCALE, period as Scaled)
            });
            prop_assert_eq!(ours, naive);
        }
    }

    #[test]
    fn exponential_averages_follow_their_definition(candles in market(), period in 1usize..30) {
        let values: Vec<_> = candles.iter().map(|candle| Scaled::from(candle.close) * SCALE).collect();
        let ours = firsts(&all(Ema::new(period as u32), &candles));
        prop_assert_eq!(&ours, &naive_ema(&values, period));
        // Rounding stays far below what a screen shows.
        let factor = 2.0 / (period as f64 + 1.0);
        let mut exact: Option<f64> = None;
        for (place, ours) in ours.iter().enumerate() {
            let Some(ours) = ours else { continue };
            let close = candles[place].close as f64;
            let mean = candles[..=place].iter().map(|candle| candle.close as f64).sum::<f64>() / period as f64;
            exact = Some(exact.map_or(mean, |before| before + (close - before) * factor));
            prop_assert!((*ours as f64 / SCALE as f64 - exact.unwrap()).abs() < 0.01);
        }
    }

    #[test]
    fn bands_are_deviations_away(candles in market(), period in 1usize..30, tenths in 1u32..50) {
        let bands = all(Bollinger::new(period as u32, tenths), &candles);
        for (end, bands) in (1usize..).zip(bands) {
            let Some(start) = end.checked_sub(period) else { prop_assert_eq!(bands, [None; 3]); continue };
            let window: Vec<_> = candles[start..end].iter().map(|candle| candle.close as f64).collect();
            let mean = window.iter().sum::<f64>() / period as f64;
            let variance = window.iter().map(|close| (close - mean).powi(2)).sum::<f64>() / period as f64;
            let [Some(middle), Some(upper), Some(lower)] = bands else { panic!("{bands:?}") };
            prop_assert_eq!(upper - middle, middle - lower);
            prop_assert!((middle as f64 / SCALE as f64 - mean).abs() < 0.0001);
            let away = variance.sqrt() * f64::from(tenths) / 10.0;
            prop_assert!(((upper - middle) as f64 / SCALE as f64 - away).abs() < 0.001, "{away}");
        }
    }

    #[test]
    fn strength_follows_wilder(candles in market(), period in 1usize..20) {
        let changes: Vec<Scaled> = candles.windows(2)
            .map(|pair| (Scaled::from(pair[1].close) - Scaled::from(pair[0].close)) * SCALE).collect();
        let of = |wanted: fn(Scaled) -> Scaled| {
            let parts: Vec<Scaled> = changes.iter().map(|change| wanted(*change)).collect();
            let mut average = None;
            parts.iter().enumerate().map(|(place, part)| {
                average = match average {
                    None if place + 1 < period => None,
                    None => Some(nearest(parts[..period].iter().sum(), period as Scaled)),
                    Some(before) => Some(nearest(before * (period as Scaled - 1) + part, period as Scaled)),
                };
                average
            }).collect::<Vec<Option<Scaled>>>()
        };
        let (rises, falls) = (of(|change| change.max(0)), of(|change| (-change).max(0)));
        let ours = firsts(&all(Rsi::new(period as u32), &candles));
        prop_assert_eq!(ours[0], None);
        for ((rise, fall), ours) in rises.iter().zip(&falls).zip(&ours[1..]) {
            let naive = rise.zip(*fall).map(|(rise, fall)| match rise + fall {
                0 => 50 * SCALE,
                all => nearest(rise * 100 * SCALE, all),
            });
            prop_assert_eq!(*ours, naive);
            prop_assert!(ours.is_none_or(|ours| (0..=100 * SCALE).contains(&ours)));
        }
    }

    #[test]
    fn convergence_is_a_difference_of_averages(candles in market(), fast in 1usize..15, slow in 1usize..25, signal in 1usize..12) {
        let values: Vec<_> = candles.iter().map(|candle| Scaled::from(candle.close) * SCALE).collect();
        let (quick, calm) = (naive_ema(&values, fast), naive_ema(&values, slow));
        let differences: Vec<_> = quick.iter().zip(&calm).map(|(quick, calm)| Some((*quick)? - (*calm)?)).collect();
        let known: Vec<Scaled> = differences.iter().flatten().copied().collect();
        let before = differences.len() - known.len();
        let signals = naive_ema(&known, signal);
        for (place, ours) in all(Macd::new(fast as u32, slow as u32, signal as u32), &candles).into_iter().enumerate() {
            let signal = place.checked_sub(before).and_then(|place| signals[place]);
            let between = differences[place].zip(signal).map(|(difference, signal)| difference - signal);
            prop_assert_eq!(ours, [differences[place], signal, between]);
        }
    }

    #[test]
    fn the_volume_weighted_price_is_the_days(candles in market(), hours in 0u64..24) {
        let offset = hours * 3600;
        let ours = firsts(&all(Vwap::new(offset), &candles));
        for (end, ours) in (1usize..).zip(ours) {
            let day = Interval::D1.bucket(candles[end - 1].time, offset);
            let of_day = candles[..end].iter().filter(|candle| candle.time >= day);
            let (turnover, volume) = of_day.fold((0, 0), |(turnover, volume), candle| {
                let prices = Scaled::from(candle.high + candle.low + candle.close);
                (turnover + prices * Scaled::from(candle.volume), volume + Scaled::from(candle.volume))
            });
            prop_assert_eq!(ours, (volume > 0).then(|| nearest(turnover * SCALE, volume * 3)));
        }
    }

    /// Every candle is told several times on its way, as a live one is, and older ones are told again: what is shown
    /// last is what computing from the start shows.
    #[test]
    fn updating_is_computing_from_the_start(
        candles in market(),
        ways in proptest::collection::vec(proptest::collection::vec(1u64..2_000, 0..4), 120),
        offset in 0u64..24,
    ) {
        for kind in Kind::ALL {
            let setting = Settings::default().of(kind);
            let numbers = setting.numbers.map(|number| number.min(7));
            let setting = Setting { numbers, ..setting };
            let whole = Study::new(setting, offset * 3600).restart(&candles);
            let mut live = Study::new(setting, offset * 3600);
            let mut shown = Vec::new();
            for (place, (candle, ways)) in candles.iter().zip(&ways).enumerate() {
                for close in ways {
                    let on_its_way = Candle { close: *close, volume: *close, ..*candle };
                    prop_assert!(live.update(&on_its_way).is_some());
                }
                if let Some(older) = place.checked_sub(1) {
                    let late = if ways.is_empty() { None } else { live.update(&candles[older]) };
                    prop_assert_eq!(late, None);
                }
                shown.push(live.update(candle).unwrap());
            }
            prop_assert_eq!(&shown, &whole, "{:?}", kind);
            prop_assert_eq!(live.restart(&candles), whole);
        }
    }
}
