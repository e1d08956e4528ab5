//! The sandbox's words, a table of their own: they are loaded with it.

use crate::i18n::{Lang, texts};
use crate::logic::amount::group;
use crate::stores::Ui;
use leptos::prelude::Get;
use sandbox::account::OwnFill;
use sandbox::checks::Rule;
use sandbox::generate::Kind;
use sandbox::history::What;

texts! {
    /// A text of the sandbox.
    Words:
    // Frame
    Trading: "실거래 화면", "Trading";
    Flow: "주문 흐름", "Flow";
    Share: "공유", "Share";
    Tour: "둘러보기", "Tour";
    StateHash: "상태 해시", "State hash";
    SameState: "공유된 상태와 같음", "same state as shared";
    OtherState: "공유된 상태와 다름", "not the state that was shared";
    Clock: "흐름 시각", "Time in the flow";
    Stopped: "샌드박스가 멈췄습니다. 새로고침해 주세요.", "The sandbox has stopped. Please reload.";
    InsideTab: "내부", "Inside";
    Profit: "평가 손익", "Profit";

    // Playing
    Playback: "재생", "Playback";
    Play: "재생", "Play";
    Pause: "일시 정지", "Pause";
    Step: "한 단계", "One step";
    StepBack: "한 단계 뒤로", "One step back";
    ToStart: "처음으로", "To the beginning";
    ToFill: "다음 체결까지", "To the next fill";
    ToOwnFill: "내 다음 체결까지", "To my next fill";
    FillShort: "체결", "Fill";
    OwnFillShort: "내 체결", "My fill";
    Speed: "속도", "Speed";
    AsFastAsPossible: "최대 속도", "As fast as possible";
    SeekTo: "시각으로 이동", "Go to a time";
    GoTo: "시각, 단계, 책갈피로 이동", "Go to a time, a step or a bookmark";
    GoToShort: "이동: 시각·이름", "Go to…";
    GoToHint: "09:31:05 · +10m · -90s · 50% · #12345 · 책갈피 이름", "09:31:05 · +10m · -90s · 50% · #12345 · a bookmark's name";
    Bookmarks: "책갈피", "Bookmarks";
    AddBookmark: "여기에 책갈피", "Mark this place";
    BookmarkName: "책갈피 이름", "Name of the bookmark";
    RemoveBookmark: "책갈피 지우기", "Remove the bookmark";
    NoBookmarks: "책갈피가 없습니다", "No bookmarks yet";
    Steps: "단계", "steps";

    // Flows
    ChooseFlow: "주문 흐름 고르기", "Choose a flow";
    Generated: "만들기", "Generated";
    FromFile: "파일에서", "From a file";
    ZeroIntelligence: "무작위 참가자", "Zero intelligence";
    ZeroIntelligenceHint: "모든 주문이 우연히 옵니다", "All orders come by chance";
    Hawkes: "호크스 과정", "Hawkes";
    HawkesHint: "체결이 체결을 부릅니다", "Trades draw trades";
    MarketMaker: "마켓 메이커와 잡음", "Market maker + noise";
    MarketMakerHint: "한 참가자가 양쪽에 호가를 내고 나머지는 우연히 거래합니다", "One quotes both sides, others trade by chance";
    FlashCrash: "플래시 크래시", "Flash crash";
    FlashCrashHint: "가격을 보지 않는 매도자, 물러서는 마켓 메이커", "A seller who does not look, a maker who steps back";
    Seed: "시드", "Seed";
    Length: "단계 수", "Steps";
    StartPrice: "시작 가격", "First price";
    Gap: "평균 간격 (ms)", "Mean gap (ms)";
    Generate: "만들기", "Generate";
    DropHere: "파일을 여기에 놓거나 고르세요", "Drop a file here, or choose one";
    DropHint: "내보낸 기록(.snflow), LOBSTER 메시지 CSV, 골든 CSV, 공유 파일(.snshare), 각각 .gz도 됩니다. 파일은 이 탭을 떠나지 않습니다.", "A recorded run (.snflow), LOBSTER messages, golden CSV, a shared file (.snshare), each of them as .gz too. The file does not leave this tab.";
    DropNow: "놓으면 흐름을 엽니다", "Let go to open the flow";
    ChooseFile: "파일 고르기", "Choose a file";
    Reading: "읽는 중", "Reading";
    Making: "만드는 중", "Making";
    FlowSteps: "단계", "steps";
    FlowMemory: "메모리", "memory";
    Indexing: "처음부터 끝까지 돌려 보는 중", "Playing it through once";
    BadLines: "읽지 못한 줄", "Lines that could not be read";
    Line: "줄", "line";
    NotAllShown: "처음 몇 줄만 표시합니다", "only the first are shown";
    AsRecorded: "기록된 상태로 끝납니다", "ends in the state that was recorded";
    NotAsRecorded: "기록된 상태와 다르게 끝납니다", "does not end in the state that was recorded";

    // Inside
    Queue: "대기열", "Queues";
    QueueHint: "가격마다 주문이 온 순서", "The orders of each price, in the order in which they came";
    Heat: "깊이 지도", "Depth map";
    HeatHint: "누르면 그 시각으로 이동합니다", "Click to go to that time";
    Log: "이벤트", "Events";
    Compare: "A/B", "A/B";
    Fills: "내 체결", "My fills";
    Checks: "불변식", "Invariants";
    Mine: "내 주문", "mine";
    WholeFlow: "전체", "All";
    Last: "최근", "Last";
    PriceStep: "가격 묶음", "Ticks";
    BestPrices: "최우선 호가", "best prices";
    WithoutYou: "내 주문이 없을 때", "without your orders";
    NothingYet: "아직 없습니다. 재생해 보세요.", "Nothing yet. Press play.";

    // Log
    OnlyMine: "내 것만", "Only mine";
    OrderNumber: "주문 번호", "Order number";
    Event: "이벤트", "Event";
    Accepted: "접수", "Accepted";
    Rejected: "거부", "Rejected";
    Filled: "체결", "Filled";
    Cancelled: "취소", "Cancelled";
    Reduced: "감량", "Reduced";
    Replaced: "정정", "Replaced";
    Triggered: "발동", "Triggered";
    RefusedEvent: "요청 거절", "Refused";
    MarketEvent: "시장", "Market";
    OlderEvents: "이전 이벤트", "Older";
    NewestEvents: "최신으로", "Newest";
    NoEvents: "해당하는 이벤트가 없습니다", "No such events";

    // A/B
    QueueNow: "대기 순서", "Queue";
    AheadOf: "앞", "ahead";
    FirstInLine: "맨 앞", "first";
    AveragePrice: "평균 체결가", "Average";
    AllSlippage: "슬리피지 합계", "Slippage in all";
    LastPrice: "마지막 체결가", "Last price";
    With: "내 주문과 함께", "With your orders";
    Without: "내 주문 없이", "Without them";
    Difference: "차이", "Difference";
    BestBid: "최우선 매수", "Best bid";
    BestAsk: "최우선 매도", "Best ask";
    Impact: "시장 충격 (중간값)", "Impact on the middle";
    SameSoFar: "아직 주문이 없어 두 흐름이 같습니다", "You have sent nothing yet: both are the same";
    PartedAfter: "갈라진 단계", "Parted after step";
    Order: "주문", "Order";
    Asked: "주문량", "Asked";
    Arrival: "도착 시 중간값", "Middle at arrival";
    Slippage: "슬리피지 / 개", "Slippage each";
    SlippageHint: "도착했을 때의 중간 가격보다 얼마나 더 냈는지(덜 받았는지)", "How much more was paid (or less got) than the middle when it came";

    // Fills
    Bought: "매수", "Bought";
    Sold: "매도", "Sold";
    Maker: "메이커", "Maker";
    Taker: "테이커", "Taker";
    NoFills: "아직 내 체결이 없습니다", "None of your orders has traded yet";
    TakerWhy: "기다리지 않고 상대 호가를 가져왔습니다", "It did not wait: it took what was offered";
    MakerFirst: "대기열 맨 앞에서 시작했습니다", "It was first in line from the start";

    // Checks
    Checked: "확인한 명령", "Commands checked";
    AllHold: "모두 성립합니다", "All hold";
    Violated: "성립하지 않음", "Violated";
    WalkBook: "호가창 전체 검사", "Walk the whole book";
    RuleNotCrossed: "매수 호가는 매도 호가보다 낮다", "The best bid is below the best ask";
    RuleSequence: "이벤트 번호에 빈틈이 없다", "Events are numbered without a gap";
    RuleConservation: "들어온 수량 = 남은 + 체결된 + 취소된 수량", "What came in is there, was filled, or taken back";
    RulePositive: "체결에는 가격과 수량이 있다", "Fills have a price and a quantity";
    RuleLevels: "가격별 합계는 주문의 합과 같다", "Each level is the sum of its orders";

    // Share
    ShareTitle: "이 상태 공유하기", "Share this state";
    ShareHint: "흐름, 내 주문, 책갈피, 위치가 담깁니다. 열면 같은 상태 해시가 나옵니다.", "It holds the flow, your orders, bookmarks and the place. It opens to the same state hash.";
    Link: "링크", "Link";
    Copy: "복사", "Copy";
    Copied: "복사했습니다", "Copied";
    SaveFile: "파일로 저장", "Save as a file";
    SaveFailed: "저장하지 못했습니다", "It could not be saved";
    FileOnly: "파일에서 온 흐름은 링크에 담기지 않습니다. 파일로 공유하세요.", "A flow from a file does not fit a link: share it as a file.";

    // Tour
    TourNext: "다음", "Next";
    TourBack: "이전", "Back";
    TourEnd: "마치기", "Finish";
    TourClose: "둘러보기 닫기", "Close the tour";
    TourBookTitle: "호가창", "The book";
    TourBook: "왼쪽은 가격, 오른쪽은 수량입니다. 위쪽은 팔려는 사람들, 아래쪽은 사려는 사람들입니다. 아직 거래되지 않은 약속이 모여 있는 곳이 호가창입니다. 재생을 눌러 움직이는 모습을 보세요.", "Prices on the left, quantities on the right. Above are those who want to sell, below those who want to buy. The book is made of promises that have not traded yet. Press play and watch it move.";
    TourBookDo: "재생", "Play";
    TourTakerTitle: "테이커: 기다리지 않는 쪽", "The taker does not wait";
    TourTaker: "시장가 주문은 가장 좋은 상대 호가를 바로 가져갑니다. 곧바로 체결되지만 스프레드만큼 비싸게 삽니다. 20개를 시장가로 사 보세요.", "A market order takes the best offers at once. It fills now, and pays the spread for that. Buy 20 at the market.";
    TourTakerDo: "시장가로 20개 매수", "Buy 20 at the market";
    TourMakerTitle: "메이커: 기다리는 쪽", "The maker waits";
    TourMaker: "지정가 주문을 최우선 매수 호가에 놓으면 누군가 와서 팔 때까지 기다립니다. 스프레드를 내는 대신 받지만, 체결된다는 보장은 없습니다. 10개를 놓아 보세요.", "A limit order at the best bid waits until somebody comes to sell. It earns the spread instead of paying it, but nothing says that it will ever fill. Rest 10 there.";
    TourMakerDo: "최우선 매수 호가에 10개", "Rest 10 at the best bid";
    TourQueueTitle: "대기열: 먼저 온 순서", "The queue: first come, first served";
    TourQueue: "같은 가격에서는 먼저 온 주문이 먼저 체결됩니다. 미체결 목록의 ‘앞에 …건’이 내 차례입니다. 앞의 주문이 체결되거나 취소되면 줄어듭니다. 내 다음 체결까지 가 보세요.", "At one price, who came first fills first. “… ahead” in your open orders is your place. It shrinks as those before you fill or give up. Go to your next fill.";
    TourQueueDo: "내 다음 체결까지", "To my next fill";
    TourFillTitle: "왜 체결되었나", "Why it filled";
    TourFill: "‘내 체결’은 각 체결을 설명합니다. 들어왔을 때 앞에 몇 건이 있었고, 그중 몇 건이 체결되고 몇 건이 취소되었는지 볼 수 있습니다.", "“My fills” explains each one: how many were before you when you joined, how many of them filled, and how many gave up.";
    TourFillDo: "내 체결 보기", "Show my fills";
    TourImpactTitle: "시장 충격", "Market impact";
    TourImpact: "주문이 크면 최우선 호가만으로는 부족해 더 나쁜 가격까지 먹어 들어갑니다. 평균 가격이 밀리는 것이 슬리피지, 남은 가격이 움직이는 것이 시장 충격입니다. 300개를 시장가로 사고 A/B에서 차이를 보세요.", "A large order eats through the best prices into worse ones. What you pay more on average is slippage; how the price moves is impact. Buy 300 at the market and look at the difference under A/B.";
    TourImpactDo: "시장가로 300개 매수", "Buy 300 at the market";
    TourFreeTitle: "이제 마음껏", "Now it is yours";
    TourFree: "뒤로 가서 다르게 해 보세요. 같은 시드는 언제나 같은 흐름입니다. 책갈피로 표시하고, 링크로 공유하고, 플래시 크래시도 겪어 보세요.", "Go back and do it differently: the same seed is always the same flow. Mark places, share a link, and try the flash crash.";
    TourFreeDo: "처음으로 돌아가기", "Back to the beginning";
}

/// A text that follows the language.
pub fn say(ui: Ui, words: Words) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    move || words.of(ui.lang.get())
}

/// A refusal of the worker's.
pub fn code_text(code: &str, lang: Lang) -> Option<&'static str> {
    let (ko, en) = match code {
        "sandbox_busy" => ("이동하는 중입니다", "It is on its way to another place"),
        "sandbox_no_flow" => ("주문 흐름이 없습니다", "There is no flow"),
        "sandbox_bad_parameters" => {
            ("이 값으로는 흐름을 만들 수 없습니다", "No flow can be made of these numbers")
        }
        "sandbox_bad_call" => (
            "페이지와 샌드박스의 버전이 다릅니다. 새로고침하세요",
            "Page and sandbox do not match: please reload",
        ),
        "sandbox_too_many_bookmarks" => ("책갈피가 너무 많습니다", "There are too many bookmarks"),
        "sandbox_unknown_place" => {
            ("그런 시각, 단계, 책갈피가 없습니다", "There is no such time, step or bookmark")
        }
        "sandbox_bad_gzip" => ("압축이 손상된 파일입니다", "The packed file is damaged"),
        "sandbox_file_too_large" => ("파일이 너무 큽니다", "The file is too large"),
        "sandbox_empty_file" => ("파일에서 읽을 수 있는 것이 없습니다", "Nothing in the file could be read"),
        "sandbox_no_file" => ("열린 파일이 없습니다", "No file was opened"),
        "sandbox_unreadable" => ("브라우저가 파일을 읽지 못했습니다", "The browser could not read the file"),
        "too_many_orders" => ("주문이 너무 많습니다", "There are too many orders"),
        "share_needs_file" => {
            ("파일에서 온 흐름은 링크에 담기지 않습니다", "A flow from a file does not fit a link")
        }
        "share_too_long" => {
            ("링크에 담기에는 너무 깁니다. 파일로 공유하세요", "Too long for a link: share it as a file")
        }
        "share_unknown_version" => ("더 새로운 버전에서 만든 것입니다", "A newer version has made it"),
        "share_impossible" => ("명령이 흐름과 맞지 않습니다", "Its commands do not belong to its flow"),
        "share_not_base64"
        | "share_cut"
        | "share_wrong_checksum"
        | "share_malformed"
        | "share_bad_parameters" => ("링크나 파일이 손상되었습니다", "The link or file is damaged"),
        _ => return crate::i18n::code_text(code, lang),
    };
    Some(lang.pick(ko, en))
}

/// Why an own order filled.
pub fn fill_text(fill: &OwnFill, lang: Lang) -> String {
    let Some(queue) = fill.queue.filter(|_| fill.maker) else {
        return format!("{} · {}", Words::Taker.of(lang), Words::TakerWhy.of(lang));
    };
    let maker = Words::Maker.of(lang);
    if queue.joined_orders == 0 {
        return format!("{maker} · {}", Words::MakerFirst.of(lang));
    }
    let (joined, quantity) = (group(queue.joined_orders.into()), group(queue.joined_quantity));
    let (filled, gone) = (group(queue.filled_orders.into()), group(queue.cancelled_orders.into()));
    match lang {
        Lang::Ko => {
            format!("{maker} · 들어올 때 앞에 {joined}건({quantity}) · {filled}건 체결, {gone}건 취소")
        }
        Lang::En => {
            format!("{maker} · {joined} ahead ({quantity}) when it joined · {filled} filled, {gone} gave up")
        }
    }
}

pub const fn kind_texts(kind: Kind) -> (Words, Words) {
    match kind {
        Kind::ZeroIntelligence => (Words::ZeroIntelligence, Words::ZeroIntelligenceHint),
        Kind::Hawkes => (Words::Hawkes, Words::HawkesHint),
        Kind::MarketMaker => (Words::MarketMaker, Words::MarketMakerHint),
        Kind::FlashCrash => (Words::FlashCrash, Words::FlashCrashHint),
    }
}

pub const fn what_text(what: What) -> Words {
    match what {
        What::Accepted => Words::Accepted,
        What::Rejected => Words::Rejected,
        What::Filled => Words::Filled,
        What::Cancelled => Words::Cancelled,
        What::Reduced => Words::Reduced,
        What::Replaced => Words::Replaced,
        What::Triggered => Words::Triggered,
        What::Refused => Words::RefusedEvent,
        What::Market => Words::MarketEvent,
    }
}

pub const fn rule_text(rule: Rule) -> Words {
    match rule {
        Rule::NotCrossed => Words::RuleNotCrossed,
        Rule::Sequence => Words::RuleSequence,
        Rule::Conservation => Words::RuleConservation,
        Rule::Positive => Words::RulePositive,
        Rule::Levels => Words::RuleLevels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::account::Standing;

    #[test]
    fn every_code_of_the_worker_is_translated() {
        let codes = "sandbox_busy sandbox_no_flow sandbox_bad_parameters sandbox_bad_call sandbox_too_many_bookmarks \
            sandbox_file_too_large sandbox_bad_gzip sandbox_unknown_place sandbox_empty_file sandbox_no_file too_many_orders unknown_order insufficient_balance \
            share_not_base64 share_too_long share_cut share_wrong_checksum share_unknown_version share_malformed \
            share_bad_parameters share_impossible share_needs_file";
        for code in codes.split_whitespace() {
            assert!(Lang::ALL.into_iter().all(|lang| code_text(code, lang).is_some()), "{code}");
        }
    }

    #[test]
    fn a_fill_says_who_was_before_it() {
        let queue = Standing {
            joined_orders: 12,
            joined_quantity: 340,
            filled_orders: 5,
            cancelled_orders: 7,
            ..Standing::default()
        };
        let fill = |maker, queue| OwnFill {
            sequence: 1,
            time: 1,
            order: 1,
            buy: true,
            price: 100,
            quantity: 1,
            remaining: 0,
            maker,
            queue,
        };
        let told = fill_text(&fill(true, Some(queue)), Lang::En);
        assert_eq!(told, "Maker · 12 ahead (340) when it joined · 5 filled, 7 gave up");
        assert!(fill_text(&fill(false, None), Lang::Ko).starts_with("테이커"));
        assert!(fill_text(&fill(true, Some(Standing::default())), Lang::En).contains("first in line"));
    }
}
