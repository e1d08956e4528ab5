//! The worker's side of the protocol, as a page uses it: by calls alone.

use engine_core::command::{Command, NewOrder};
use engine_core::flow::record::RecordWriter;
use engine_core::market::Market;
use engine_core::types::{OrderId, Side, UserId};
use sandbox::account::Status;
use sandbox::generate::{Kind, Parameters, generate};
use sandbox::history::{HeatQuery, LogQuery, What};
use sandbox::host::{Host, Pace, end_hash};
use sandbox::protocol::{Life, Opened, Phase, QueueWanted, Reply, Request, Seen, Ticket, Wanted};
use sandbox::session::{Goal, Speed};
use std::io::Write;

struct Page {
    host: Host,
    now_us: u64,
}

impl Page {
    fn new() -> Page {
        Page { host: Host::default(), now_us: 1 }
    }

    /// Lets it work until it has nothing more to do; `ms` go by between two slices.
    fn settle(&mut self, ms: u64) {
        for _ in 0..1_000_000 {
            if self.host.pace() == Pace::Never {
                return;
            }
            self.now_us += ms * 1_000;
            self.host.work(self.now_us, 1_000);
        }
        panic!("it never ends");
    }

    fn call(&mut self, request: Request) -> Reply {
        self.host.answer(request)
    }

    fn done(&mut self, request: Request) {
        assert_eq!(self.call(request), Reply::Done);
    }

    fn look(&mut self, wanted: Wanted) -> Seen {
        match self.call(Request::Look(Box::new(wanted))) {
            Reply::Seen(seen) => *seen,
            other => panic!("{other:?}"),
        }
    }

    fn hash(&mut self) -> String {
        self.look(Wanted { hash: true, ..Wanted::default() }).hash.unwrap()
    }

    fn refused(&mut self, request: Request) -> String {
        match self.call(request) {
            Reply::Refused { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    fn with_flow(parameters: Parameters) -> Page {
        let mut page = Page::new();
        page.done(Request::Generate(parameters));
        page.settle(0);
        page
    }

    fn send(&mut self, name: &str, bytes: &[u8]) -> Reply {
        self.done(Request::Open { name: name.into() });
        for chunk in bytes.chunks(1_013) {
            assert!(matches!(self.call(Request::Chunk(chunk.to_vec())), Reply::Reading(_)));
        }
        let reply = self.call(Request::Close);
        self.settle(0);
        reply
    }
}

fn parameters() -> Parameters {
    Parameters { kind: Kind::MarketMaker, seed: 5, steps: 20_000, ..Parameters::default() }
}

fn ticket(buy: bool, price: Option<u64>, quantity: u64) -> Ticket {
    Ticket { buy, price, quantity, life: Life::Gtc, post_only: false, display: 0, stop: None }
}

/// A page in the middle of a flow, with orders and a bookmark.
fn busy_page() -> Page {
    let mut page = Page::with_flow(parameters());
    for (n, position) in [4_000, 9_000, 15_000].into_iter().enumerate() {
        page.done(Request::Seek(Goal::Position(position)));
        page.settle(0);
        let depth = page.look(Wanted { levels: 5, ..Wanted::default() }).depth.unwrap();
        let order = match n {
            0 => ticket(true, Some(depth.bids[0].price), 30),
            1 => ticket(false, None, 15),
            _ => ticket(false, Some(depth.asks[1].price), 7),
        };
        assert_eq!(page.call(Request::Place(order)), Reply::Placed(n as u64 + 1));
    }
    page.done(Request::Mark { label: "before the end".into() });
    page.done(Request::Seek(Goal::Position(16_500)));
    page.settle(0);
    page
}

#[test]
fn a_flow_is_made_indexed_and_played_to_the_state_that_it_has_natively() {
    let mut page = Page::new();
    assert_eq!(page.look(Wanted::default()).place.phase, Phase::Empty);
    page.done(Request::Generate(parameters()));
    assert_eq!(page.refused(Request::Play(Speed::Most)), "sandbox_busy");
    page.settle(0);
    let place = page.look(Wanted::default()).place;
    let flow = place.flow.unwrap();
    let expected = format!("{:032x}", end_hash(&generate(parameters())));
    assert_eq!((place.phase, place.position, flow.steps), (Phase::Ready, 0, 20_000));
    assert_eq!(flow.end_hash, expected);
    page.done(Request::Play(Speed::Most));
    page.settle(0);
    let seen = page.look(Wanted { hash: true, ..Wanted::default() });
    assert!(seen.place.at_end && !seen.place.playing);
    assert_eq!(seen.hash.unwrap(), expected);
}

#[test]
fn time_goes_by_at_its_speed() {
    let mut page = Page::with_flow(parameters());
    page.host.work(page.now_us, 0);
    let before = page.look(Wanted::default()).place.clock;
    page.done(Request::Play(Speed::Tenths(100)));
    for _ in 0..50 {
        page.now_us += 20_000;
        page.host.work(page.now_us, 10_000);
    }
    page.done(Request::Pause);
    assert_eq!(page.host.pace(), Pace::Never);
    let after = page.look(Wanted::default()).place.clock;
    assert_eq!(after - before, 10_000, "a second at ten times");
}

#[test]
fn everything_that_a_page_shows_can_be_seen() {
    let mut page = busy_page();
    let seen = page.look(Wanted {
        levels: 10,
        trades_after: Some(0),
        candles_from: Some(0),
        account: true,
        queue: Some(QueueWanted { levels: 3, orders: 4 }),
        heat: Some(HeatQuery { from: 0, to: u64::MAX, price_step: 1, columns: 100 }),
        log: Some(LogQuery { what: vec![What::Filled], limit: 5, ..LogQuery::default() }),
        checks: true,
        compare: true,
        hash: true,
    });
    let depth = seen.depth.unwrap();
    assert_eq!((depth.bids.len(), depth.asks.len()), (10, 10));
    assert!(!seen.trades.is_empty());
    assert!(seen.candles.unwrap().is_sorted_by(|a, b| a.time < b.time));
    let account = seen.account.unwrap();
    assert_eq!(account.orders.iter().map(|row| row.order).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(account.orders[1].status, Status::Filled);
    assert!(account.fill_count > 0 && account.profit.is_some());
    let [bids, asks] = seen.queue.unwrap();
    for (levels, rows) in [(bids, &depth.bids), (asks, &depth.asks)] {
        assert_eq!(levels.len(), 3);
        for (level, row) in levels.iter().zip(rows) {
            assert_eq!((level.price, level.quantity, level.orders), (row.price, row.quantity, row.orders));
            assert!(level.first.len() <= 4 && !level.first.is_empty());
        }
    }
    assert!(!seen.heat.unwrap().columns.is_empty());
    assert!(seen.log.unwrap().iter().all(|line| line.what == What::Filled));
    assert!(seen.checks.unwrap().violations.is_empty());
    assert_eq!(seen.compare.unwrap().diverged_after, Some(4_000));
    assert_eq!(seen.place.bookmarks[0].label, "before the end");
}

#[test]
fn a_link_opens_to_the_same_state() {
    let mut page = busy_page();
    let hash = page.hash();
    let Reply::Fragment(fragment) = page.call(Request::Share) else { panic!() };
    assert!(fragment.len() < 300, "{} letters", fragment.len());
    let mut other = Page::new();
    other.done(Request::OpenFragment(fragment));
    other.settle(0);
    assert_eq!(other.hash(), hash);
    let place = other.look(Wanted::default()).place;
    assert_eq!(place.opened, Some(Opened::There { expected: hash, same: true }));
    assert_eq!((place.position, place.commands, place.bookmarks.len()), (16_500, 3, 1));
    // And on from there both are alike.
    for page in [&mut page, &mut other] {
        page.done(Request::Play(Speed::Most));
        page.settle(0);
    }
    assert_eq!(page.hash(), other.hash());
}

#[test]
fn a_file_opens_to_the_same_state() {
    let mut page = busy_page();
    let hash = page.hash();
    let Reply::File { name, bytes } = page.call(Request::Save) else { panic!() };
    assert_eq!(name, "SANDBOX.snshare");
    let mut other = Page::new();
    assert_eq!(other.send(&name, &bytes), Reply::Done);
    assert_eq!(other.hash(), hash);
    // A flow from a file fits no link, but another file.
    assert_eq!(other.refused(Request::Share), "share_needs_file");
    assert!(matches!(other.call(Request::Save), Reply::File { .. }));

    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    assert!(
        matches!(Page::new().send("x", &damaged), Reply::Refused { code, .. } if code == "share_wrong_checksum")
    );
    assert!(matches!(Page::new().send("x", &bytes[..50]), Reply::Refused { .. }));
}

#[test]
fn a_stranger_cannot_give_commands_in_anothers_name() {
    use sandbox::session::OwnCommand;
    use sandbox::share::{Shared, to_fragment};
    let foreign = NewOrder::limit(OrderId(5), UserId(1), Side::Buy, 100, 1);
    let commands = vec![OwnCommand { after: 5, time: 1_765_894_801_000, command: Command::Add(foreign) }];
    let fragment = to_fragment(&parameters(), &Shared { commands, ..Shared::default() }).unwrap();
    let mut page = Page::new();
    page.done(Request::OpenFragment(fragment));
    page.settle(0);
    let place = page.look(Wanted::default()).place;
    assert_eq!((place.commands, place.opened), (0, None));
}

#[test]
fn files_are_read_in_pieces_and_their_faults_told() {
    let mut page = Page::new();
    let golden = "ADD,1,B,LIMIT,GTC,100,5\nADD,2,X,LIMIT,GTC,100,5\nADD,3,S,LIMIT,GTC,100,2\n";
    assert_eq!(page.send("golden.csv", golden.as_bytes()), Reply::Done);
    let flow = page.look(Wanted::default()).place.flow.unwrap();
    assert_eq!((flow.steps, flow.bad.bad, flow.bad.first_bad[0].number), (2, 1, 2));

    assert!(
        matches!(page.send("empty.csv", b""), Reply::Refused { code, .. } if code == "sandbox_empty_file")
    );
    assert!(
        matches!(page.send("words.txt", b"hello\n"), Reply::Refused { code, .. } if code == "sandbox_empty_file")
    );
    assert_eq!(page.refused(Request::Chunk(vec![1])), "sandbox_no_file");
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn packed_files_are_unpacked_on_the_way() {
    let lines = |from: u64| {
        let line = |n: u64| {
            format!("ADD,{n},{},LIMIT,GTC,{},5\n", if n.is_multiple_of(2) { "B" } else { "S" }, 100 + n % 3)
        };
        (from..from + 2_000).map(line).collect::<String>()
    };
    let whole = format!("{}nonsense\n{}", lines(1), lines(2_001));
    let mut plain = Page::new();
    assert_eq!(plain.send("x.csv", whole.as_bytes()), Reply::Done);
    let plain = plain.look(Wanted::default()).place.flow.unwrap();
    assert_eq!((plain.steps, plain.bad.first_bad[0].number), (4_000, 2_001));

    // Two members in a row are one file.
    let two = [packed(&whole.as_bytes()[..30_000]), packed(&whole.as_bytes()[30_000..])].concat();
    for bytes in [packed(whole.as_bytes()), two.clone()] {
        let mut page = Page::new();
        assert_eq!(page.send("x.csv.gz", &bytes), Reply::Done);
        let flow = page.look(Wanted::default()).place.flow.unwrap();
        assert_eq!((&flow.digest, &flow.bad, &flow.symbol), (&plain.digest, &plain.bad, &"X".to_owned()));
    }

    // A file that was cut off is a flow as far as it goes, and says so.
    let mut page = Page::new();
    assert_eq!(page.send("x.csv.gz", &two[..two.len() - 40]), Reply::Done);
    let flow = page.look(Wanted::default()).place.flow.unwrap();
    let last = flow.bad.first_bad.last().unwrap();
    assert!(flow.steps < 4_000 && flow.steps > 2_000, "{}", flow.steps);
    assert!(last.reason.contains("ends here") && last.number > flow.steps, "{last:?}");
    let mut damaged = two.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0xFF);
    assert_eq!(page.send("x.csv.gz", &damaged), Reply::Done);
    let flow = page.look(Wanted::default()).place.flow.unwrap();
    assert!(flow.bad.first_bad.last().unwrap().reason.contains("damaged"), "{:?}", flow.bad);

    assert_eq!(page.call(Request::Open { name: "x.gz".into() }), Reply::Done);
    assert_eq!(
        page.refused(Request::Chunk(b"\x1f\x8bnothing of the kind, and long enough".to_vec())),
        "sandbox_bad_gzip"
    );
    // What Save wrote may be packed as well.
    let mut saved = busy_page();
    let hash = saved.hash();
    let Reply::File { bytes, .. } = saved.call(Request::Save) else { panic!() };
    assert_eq!(page.send("saved.snshare.gz", &packed(&bytes)), Reply::Done);
    assert_eq!(page.hash(), hash);
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    // Two gigabytes of empty lines, three levels deep it would be more.
    let line = packed(&vec![b'\n'; 64 << 20]);
    let mut page = Page::new();
    page.done(Request::Open { name: "bomb.csv.gz".into() });
    let refused = (0..32).find_map(|_| match page.call(Request::Chunk(line.clone())) {
        Reply::Refused { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(refused.as_deref(), Some("sandbox_file_too_large"));
}

#[test]
fn a_million_messages_are_read_within_bounds() {
    let mut page = Page::new();
    page.done(Request::Open { name: "AAPL_2012-06-21_message_10.csv.gz".into() });
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for n in 0..1_000_000u64 {
        let (side, price) =
            if n % 2 == 0 { (-1, 1_001_000 + n % 50 * 100) } else { (1, 999_000 - n % 50 * 100) };
        let (kind, order) = if n % 4 == 3 { (3, n - 2) } else { (1, n) };
        writeln!(gzip, "{}.{:03},{kind},{order},10,{price},{side}", 34_200 + n / 1_000, n % 1_000).unwrap();
    }
    let bytes = gzip.finish().unwrap();
    let mut steps = 0;
    for chunk in bytes.chunks(512 << 10) {
        let Reply::Reading(loading) = page.call(Request::Chunk(chunk.to_vec())) else { panic!() };
        assert!(loading.steps > steps, "it tells how far it has come");
        steps = loading.steps;
    }
    page.done(Request::Close);
    page.settle(0);
    let place = page.look(Wanted::default()).place;
    let flow = place.flow.unwrap();
    assert_eq!((place.phase, flow.steps, flow.bad.bad), (Phase::Ready, 1_000_000, 0));
    assert!(flow.memory < 40 << 20, "{} bytes", flow.memory);
    let (_, keyframes) = page.host.ready_session().unwrap().keyframes();
    assert!(keyframes <= sandbox::session::KEYFRAME_BYTES, "{keyframes} bytes");
}

#[test]
fn a_record_says_whether_it_ends_as_it_was_recorded() {
    let flow = generate(Parameters { steps: 3_000, ..parameters() });
    let mut market = Market::default();
    let mut writer = RecordWriter::new("REC", &market);
    let mut cursor = flow.cursor(0);
    while let Some((time, step)) = flow.next(&mut cursor) {
        let command = step.resolve(&market).unwrap();
        market.apply(time, &command, &mut Vec::new());
        writer.push(&engine_core::command::TimedCommand { time, command });
    }
    let bytes = writer.finish(&market);
    let mut page = Page::new();
    assert_eq!(page.send("run.snflow", &bytes), Reply::Done);
    let flow = page.look(Wanted::default()).place.flow.unwrap();
    assert_eq!((flow.symbol.as_str(), flow.as_recorded), ("REC", Some(true)));
    assert_eq!(flow.end_hash, format!("{:032x}", end_hash(page.host.ready_session().unwrap().flow())));
}
