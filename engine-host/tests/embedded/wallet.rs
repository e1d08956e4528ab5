//! The wallet against the plain one of `edge_fns::testing`: whatever movements come, in whatever order and however often,
//! both give the same answers and hold the same balances, and the journal always adds up.

use crate::support::block_on;
use edge_fns::capability::wallet::{Amount, Asset, Movement, Party, Posted};
use edge_fns::capability::{Error, Result, Wallet};
use edge_fns::testing::{Memory, Money};
use engine_host::backends::embedded::store::Store;
use proptest::prelude::*;
use std::collections::BTreeSet;
use tempfile::tempdir;

const USERS: [&str; 3] = ["ann", "ben", "cho"];

/// A movement in small numbers; what they stand for depends on what there is.
#[derive(Clone, Debug)]
enum Draft {
    Deposit {
        id: u8,
        user: usize,
        asset: u8,
        amount: Amount,
    },
    Withdraw {
        id: u8,
        user: usize,
        asset: u8,
        amount: Amount,
    },
    Reserve {
        hold: u8,
        user: usize,
        asset: u8,
        amount: Amount,
    },
    Release {
        hold: u8,
    },
    Adjust {
        id: u8,
        hold: u8,
        absorb: Option<u8>,
        keep: Amount,
    },
    /// `aimed`: between holds that can settle with each other, if there are any.
    Settle {
        fill: u8,
        cash: Amount,
        quantity: Amount,
        refunds: (Amount, Amount),
        holds: (u8, u8),
        aimed: bool,
    },
}

fn draft() -> impl Strategy<Value = Draft> {
    let (id, hold, user, asset) = (0..12u8, 0..10u8, 0..USERS.len(), 0..3u8);
    let amount = prop_oneof![4 => 0..60u64, 1 => 0..2000u64];
    let account = (id.clone(), user.clone(), asset.clone(), amount.clone());
    prop_oneof![
        2 => account.clone().prop_map(|(id, user, asset, amount)| Draft::Deposit { id, user, asset, amount }),
        1 => account.prop_map(|(id, user, asset, amount)| Draft::Withdraw { id, user, asset, amount }),
        4 => (hold.clone(), user, asset, amount.clone())
            .prop_map(|(hold, user, asset, amount)| Draft::Reserve { hold, user, asset, amount }),
        2 => hold.clone().prop_map(|hold| Draft::Release { hold }),
        2 => (id, hold.clone(), proptest::option::of(hold.clone()), amount.clone())
            .prop_map(|(id, hold, absorb, keep)| Draft::Adjust { id, hold, absorb, keep }),
        4 => (0..20u8, 0..30u64, 0..30u64, (0..5u64, 0..5u64), (hold.clone(), hold), proptest::bool::weighted(0.8))
            .prop_map(|(fill, cash, quantity, refunds, holds, aimed)| Draft::Settle { fill, cash, quantity, refunds, holds, aimed }),
    ]
}

fn asset(number: u8) -> Asset {
    ["A", "B"].get(usize::from(number)).map_or(Asset::Cash, |name| Asset::Stock(name.to_string()))
}

fn hold(number: u8) -> String {
    format!("h{number}")
}

/// The movement that a draft stands for in this state.
fn movement(draft: &Draft, money: &Money, released: &BTreeSet<String>) -> Movement {
    match draft.clone() {
        Draft::Deposit { id, user, asset: of, amount } => {
            Movement::Deposit { id: format!("d{id}"), user: USERS[user].into(), asset: asset(of), amount }
        }
        Draft::Withdraw { id, user, asset: of, amount } => {
            Movement::Withdraw { id: format!("w{id}"), user: USERS[user].into(), asset: asset(of), amount }
        }
        Draft::Reserve { hold: name, user, asset: of, amount } => {
            Movement::Reserve { hold: hold(name), user: USERS[user].into(), asset: asset(of), amount }
        }
        Draft::Release { hold: name } => Movement::Release { hold: hold(name) },
        Draft::Adjust { id, hold: name, absorb, keep } => {
            // The plain wallet trusts its callers here: it takes any hold as the one to absorb. The functions name a
            // second, living hold of the same account, and a hold that is not closed.
            let account = |name: &String| money.holds.get(name).map(|(user, asset, _)| (user, asset));
            let fits = |absorbed: &String| {
                *absorbed != hold(name)
                    && account(absorbed) == account(&hold(name))
                    && !released.contains(&hold(name))
            };
            Movement::Adjust {
                id: format!("a{id}"),
                hold: hold(name),
                absorb: absorb.map(hold).filter(fits),
                keep,
            }
        }
        Draft::Settle { fill, cash, quantity, refunds, holds, aimed } => {
            let living = |stock: bool| {
                let fits = move |asset: &Asset| {
                    if stock { *asset == Asset::Stock("A".into()) } else { *asset == Asset::Cash }
                };
                let of =
                    money.holds.iter().filter(move |(_, (user, asset, _))| !user.is_empty() && fits(asset));
                of.map(|(name, (user, ..))| (name.clone(), user.clone())).collect::<Vec<_>>()
            };
            let party = |number: u8, stock: bool, refund: Amount| {
                let living = living(stock);
                let any = || (hold(number), USERS[usize::from(number) % USERS.len()].to_string());
                let aim = || living.get(usize::from(number) % living.len().max(1)).cloned();
                let (hold, user) = if aimed { aim().unwrap_or_else(any) } else { any() };
                Party { user, hold, refund }
            };
            let (buyer, seller) = (party(holds.0, false, refunds.0), party(holds.1, true, refunds.1));
            Movement::Settle { fill: format!("f{fill}"), symbol: "A".into(), cash, quantity, buyer, seller }
        }
    }
}

/// Errors are compared by kind, their texts are for people.
fn kind(answer: Result<Posted>) -> std::result::Result<Posted, &'static str> {
    answer.map_err(|error| match error {
        Error::Invalid(_) => "invalid",
        Error::Unavailable(_) => "unavailable",
        other => panic!("unexpected: {other}"),
    })
}

async fn same_balances(store: &Store, model: &Memory) {
    for user in USERS {
        assert_eq!(store.balances(user).await.unwrap(), model.balances(user).await.unwrap(), "{user}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_plain_wallet(calls in proptest::collection::vec(proptest::collection::vec(draft(), 1..8), 1..20)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("exchange.db");
        block_on(async {
            let (model, mut released) = (Memory::default(), BTreeSet::new());
            let store = Store::open(&path).unwrap();
            let given = USERS.iter().flat_map(|user| [0, 1, 2].map(|of| Movement::Deposit {
                id: format!("start {user} {of}"), user: user.to_string(), asset: asset(of), amount: 100,
            }));
            let given: Vec<Movement> = given.collect();
            store.post(given.clone()).await.unwrap();
            model.post(given).await.unwrap();
            for call in &calls {
                // Worked out one after the other, on a copy of the model.
                let scratch = Memory::default();
                scratch.state().money = model.state().money.clone();
                let mut movements = Vec::new();
                for draft in call {
                    let movement = movement(draft, &scratch.state().money, &released);
                    if let Movement::Release { hold } = &movement {
                        released.insert(hold.clone());
                    }
                    scratch.post(vec![movement.clone()]).await.unwrap();
                    movements.push(movement);
                }
                let expected: Vec<_> = model.post(movements.clone()).await.unwrap().into_iter().map(kind).collect();
                let answers: Vec<_> = store.post(movements.clone()).await.unwrap().into_iter().map(kind).collect();
                assert_eq!(answers, expected, "{movements:?}");
                same_balances(&store, &model).await;
            }
            assert_eq!(store.verify().await.unwrap(), [""; 0]);
            drop(store);
            let store = Store::open(&path).unwrap();
            same_balances(&store, &model).await;
            assert_eq!(store.verify().await.unwrap(), [""; 0]);
            for total in store.totals().await.unwrap().into_iter().filter(|total| !total.asset.is_empty()) {
                assert_eq!(total.available + total.locked, total.deposited);
                let asset = if total.asset == "CASH" { Asset::Cash } else { Asset::Stock(total.asset) };
                assert_eq!(total.deposited as Amount, model.state().money.deposited[&asset]);
            }
        });
    }
}

/// The check itself finds what is wrong: each of these is a row that somebody changed by hand.
#[tokio::test]
async fn verify_finds_what_does_not_add_up() {
    for (tampering, complaint) in [
        ("UPDATE accounts SET available = available + 1 WHERE user = 'ann'", "its journal says"),
        ("UPDATE holds SET amount = amount - 1", "its holds are"),
        ("DELETE FROM accounts WHERE user = 'ben'", "has no row"),
        ("UPDATE outside SET deposited = deposited + 1", "does not balance"),
        ("DELETE FROM journal WHERE name LIKE 'reserve/%'", "its journal says"),
        (
            "UPDATE journal SET legs = '[[\"ann\",\"CASH\",-10,11]]' WHERE name LIKE 'reserve/%'",
            "does not sum to zero",
        ),
        ("UPDATE journal SET legs = 'x' WHERE name LIKE 'reserve/%'", "cannot be read"),
    ] {
        let folder = tempdir().unwrap();
        let path = folder.path().join("exchange.db");
        let store = Store::open(&path).unwrap();
        let deposit = |user: &str| Movement::Deposit {
            id: user.into(),
            user: user.into(),
            asset: Asset::Cash,
            amount: 50,
        };
        let reserve =
            Movement::Reserve { hold: "h".into(), user: "ann".into(), asset: Asset::Cash, amount: 10 };
        store.post(vec![deposit("ann"), deposit("ben"), reserve]).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), [""; 0]);
        assert_eq!(
            rusqlite::Connection::open(&path).unwrap().execute(tampering, ()).unwrap(),
            1,
            "{tampering}"
        );
        let wrong = store.verify().await.unwrap();
        assert!(wrong.iter().any(|line| line.contains(complaint)), "{tampering}: {wrong:?}");
    }
}
