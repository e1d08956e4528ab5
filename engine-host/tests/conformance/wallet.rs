//! What a wallet must do: double entry, names that make repetition safe, order within a call.

use edge_fns::capability::wallet::{Amount, Asset, Balance, Movement, Party, Posted};
use edge_fns::capability::{Error, Wallet};

fn stock() -> Asset {
    Asset::Stock("CONF".into())
}

fn deposit(id: &str, user: &str, asset: Asset, amount: Amount) -> Movement {
    Movement::Deposit { id: id.into(), user: user.into(), asset, amount }
}

fn withdraw(id: &str, user: &str, amount: Amount) -> Movement {
    Movement::Withdraw { id: id.into(), user: user.into(), asset: Asset::Cash, amount }
}

fn reserve(hold: &str, user: &str, asset: Asset, amount: Amount) -> Movement {
    Movement::Reserve { hold: hold.into(), user: user.into(), asset, amount }
}

fn release(hold: &str) -> Movement {
    Movement::Release { hold: hold.into() }
}

fn adjust(id: &str, hold: &str, absorb: Option<&str>, keep: Amount) -> Movement {
    Movement::Adjust { id: id.into(), hold: hold.into(), absorb: absorb.map(Into::into), keep }
}

fn party(user: &str, hold: &str, refund: Amount) -> Party {
    Party { user: user.into(), hold: hold.into(), refund }
}

fn settle(fill: &str, cash: Amount, quantity: Amount, buyer: Party, seller: Party) -> Movement {
    Movement::Settle { fill: fill.into(), symbol: "CONF".into(), cash, quantity, buyer, seller }
}

async fn posted(wallet: &dyn Wallet, movement: Movement) -> Posted {
    let mut answers = wallet.post(vec![movement]).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0).unwrap()
}

async fn has(wallet: &dyn Wallet, user: &str, expected: &[(Asset, Amount, Amount)]) {
    let expected: Vec<Balance> = expected
        .iter()
        .map(|(asset, available, locked)| Balance {
            asset: asset.clone(),
            available: *available,
            locked: *locked,
        })
        .collect();
    assert_eq!(wallet.balances(user).await.unwrap(), expected, "{user}");
}

pub async fn suite(wallet: &dyn Wallet) {
    orders(wallet).await;
    late_reserves(wallet).await;
    refusals(wallet).await;
    races(wallet).await;
}

/// A buy and a sell from deposit to withdrawal, every movement tried twice.
async fn orders(wallet: &dyn Wallet) {
    has(wallet, "conf-ann", &[]).await;
    let flow = [
        (deposit("conf-1", "conf-ann", Asset::Cash, 1000), Posted::Done),
        (deposit("conf-2", "conf-ben", stock(), 50), Posted::Done),
        (withdraw("conf-3", "conf-ann", 1001), Posted::Insufficient(1000)),
        (reserve("conf-buy", "conf-ann", Asset::Cash, 600), Posted::Done),
        (reserve("conf-buy-2", "conf-ann", Asset::Cash, 401), Posted::Insufficient(400)),
        (reserve("conf-sell", "conf-ben", stock(), 30), Posted::Done),
        (withdraw("conf-4", "conf-ann", 401), Posted::Insufficient(400)),
        // 10 at 20 each, the order's own limit was 22: 20 come back.
        (
            settle("conf-f1", 200, 10, party("conf-ann", "conf-buy", 20), party("conf-ben", "conf-sell", 0)),
            Posted::Done,
        ),
        // More than the buyer's hold has left, then more than the seller's.
        (
            settle("conf-f2", 381, 1, party("conf-ann", "conf-buy", 0), party("conf-ben", "conf-sell", 0)),
            Posted::Insufficient(380),
        ),
        (
            settle("conf-f3", 1, 21, party("conf-ann", "conf-buy", 0), party("conf-ben", "conf-sell", 0)),
            Posted::Insufficient(20),
        ),
        // A replace: a second hold is merged, what is above the new need comes back.
        (reserve("conf-req", "conf-ann", Asset::Cash, 100), Posted::Done),
        (adjust("conf-a1", "conf-buy", Some("conf-req"), 450), Posted::Done),
        (adjust("conf-a2", "conf-buy", None, 500), Posted::Done),
        (release("conf-req"), Posted::Repeated),
        (release("conf-sell"), Posted::Done),
    ];
    for (movement, expected) in flow {
        assert_eq!(posted(wallet, movement.clone()).await, expected, "{movement:?}");
        let again = posted(wallet, movement.clone()).await;
        let repeated = if expected == Posted::Done { Posted::Repeated } else { expected };
        assert_eq!(again, repeated, "{movement:?} once more");
    }
    has(wallet, "conf-ann", &[(Asset::Cash, 350, 450), (stock(), 10, 0)]).await;
    has(wallet, "conf-ben", &[(Asset::Cash, 200, 0), (stock(), 40, 0)]).await;
    assert_eq!(posted(wallet, release("conf-buy")).await, Posted::Done);
    assert_eq!(posted(wallet, withdraw("conf-5", "conf-ann", 800)).await, Posted::Done);
    has(wallet, "conf-ann", &[(Asset::Cash, 0, 0), (stock(), 10, 0)]).await;
}

/// A hold that was released before it was opened stays closed.
async fn late_reserves(wallet: &dyn Wallet) {
    let movements = vec![
        deposit("conf-late", "conf-cho", Asset::Cash, 10),
        release("conf-late"),
        reserve("conf-late", "conf-cho", Asset::Cash, 10),
        release("conf-late"),
    ];
    let answers = wallet.post(movements).await.unwrap();
    assert_eq!(answers, [Posted::Done, Posted::Done, Posted::Repeated, Posted::Repeated].map(Ok));
    has(wallet, "conf-cho", &[(Asset::Cash, 10, 0)]).await;
}

/// After an error, nothing more of the call is tried; what was before it stays.
async fn refusals(wallet: &dyn Wallet) {
    let answers = wallet
        .post(vec![
            deposit("conf-r1", "conf-dan", Asset::Cash, 5),
            withdraw("conf-r2", "conf-dan", 6),
            adjust("conf-r3", "conf-no-such-hold", None, 0),
            deposit("conf-r4", "conf-dan", Asset::Cash, 5),
            release("conf-r5"),
        ])
        .await
        .unwrap();
    assert_eq!(answers[0], Ok(Posted::Done));
    assert_eq!(answers[1], Ok(Posted::Insufficient(5)), "too little is an answer, no error");
    assert!(matches!(answers[2], Err(Error::Invalid(_))), "{answers:?}");
    assert!(matches!(answers[3..], [Err(Error::Unavailable(_)), Err(Error::Unavailable(_))]), "{answers:?}");
    has(wallet, "conf-dan", &[(Asset::Cash, 5, 0)]).await;
    // The refused and the untried ones are not spent.
    assert_eq!(posted(wallet, deposit("conf-r4", "conf-dan", Asset::Cash, 1)).await, Posted::Done);

    // A settlement takes only from the holds of the users and assets it names.
    let opened = vec![
        deposit("conf-r6", "conf-eve", stock(), 9),
        reserve("conf-rb", "conf-dan", Asset::Cash, 6),
        reserve("conf-rs", "conf-eve", stock(), 9),
    ];
    assert_eq!(wallet.post(opened).await.unwrap(), [Posted::Done; 3].map(Ok));
    for (buyer, seller) in [
        (party("conf-eve", "conf-rb", 0), party("conf-eve", "conf-rs", 0)),
        (party("conf-dan", "conf-rb", 0), party("conf-dan", "conf-rs", 0)),
        (party("conf-dan", "conf-rs", 0), party("conf-eve", "conf-rb", 0)),
        (party("conf-dan", "conf-nothing", 0), party("conf-eve", "conf-rs", 0)),
    ] {
        let refused = wallet.post(vec![settle("conf-rf", 1, 1, buyer, seller)]).await.unwrap();
        assert!(matches!(refused[..], [Err(Error::Invalid(_))]), "{refused:?}");
    }
    has(wallet, "conf-dan", &[(Asset::Cash, 0, 6)]).await;
    has(wallet, "conf-eve", &[(stock(), 0, 9)]).await;
    assert_eq!(wallet.post(Vec::new()).await.unwrap(), Vec::new());
}

/// Of many reserves that cannot all be paid for, just those that can are taken.
async fn races(wallet: &dyn Wallet) {
    posted(wallet, deposit("conf-race", "conf-fay", Asset::Cash, 70)).await;
    let attempts =
        (0..12).map(|n| posted(wallet, reserve(&format!("conf-race-{n}"), "conf-fay", Asset::Cash, 10)));
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Posted::Done).count(), 7, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Posted::Insufficient(0)).count(), 5, "{answers:?}");
    has(wallet, "conf-fay", &[(Asset::Cash, 0, 70)]).await;
    // Of one movement sent many times at once, one takes effect.
    let attempts = (0..6).map(|_| posted(wallet, release("conf-race-0")));
    let answers = futures_util::future::join_all(attempts).await;
    let done = answers.iter().filter(|answer| **answer == Posted::Done).count();
    let opened = answers.iter().all(|answer| matches!(answer, Posted::Done | Posted::Repeated));
    assert!(done == 1 && opened, "{answers:?}");
}

/// What a wallet with real money also refuses; the tests' own wallet trusts its callers here.
pub async fn guarded(wallet: &dyn Wallet) {
    let refused = async |movement: Movement| {
        let answers = wallet.post(vec![movement.clone()]).await.unwrap();
        assert!(matches!(answers[..], [Err(Error::Invalid(_))]), "{movement:?}: {answers:?}");
    };
    let opened = vec![
        deposit("guard-1", "guard-ann", Asset::Cash, 100),
        deposit("guard-2", "guard-ben", Asset::Cash, 100),
        deposit("guard-3", "guard-ann", stock(), 100),
        reserve("guard-a", "guard-ann", Asset::Cash, 40),
        reserve("guard-a2", "guard-ann", Asset::Cash, 30),
        reserve("guard-b", "guard-ben", Asset::Cash, 40),
        reserve("guard-s", "guard-ann", stock(), 40),
    ];
    assert_eq!(wallet.post(opened).await.unwrap(), [Posted::Done; 7].map(Ok));
    // Amounts end at i64::MAX, in each movement and in each balance.
    refused(deposit("guard-4", "guard-ann", Asset::Cash, Amount::MAX)).await;
    refused(deposit("guard-5", "guard-ann", Asset::Cash, i64::MAX as Amount)).await;
    refused(reserve("guard-c", "guard-ann", Asset::Cash, 1 << 63)).await;
    // No stock may take the name of cash.
    refused(deposit("guard-6", "guard-ann", Asset::Stock("CASH".into()), 1)).await;
    let (buyer, seller) = (party("guard-ann", "guard-a", 0), party("guard-ben", "guard-b", 0));
    refused(Movement::Settle {
        fill: "guard-f".into(),
        symbol: "CASH".into(),
        cash: 1,
        quantity: 1,
        buyer,
        seller,
    })
    .await;
    // A hold absorbs only a hold of the same account, and not itself.
    refused(adjust("guard-7", "guard-a", Some("guard-b"), 0)).await;
    refused(adjust("guard-8", "guard-a", Some("guard-s"), 0)).await;
    refused(adjust("guard-9", "guard-a", Some("guard-a"), 0)).await;
    has(wallet, "guard-ann", &[(Asset::Cash, 30, 70), (stock(), 60, 40)]).await;
    has(wallet, "guard-ben", &[(Asset::Cash, 60, 40)]).await;
}
