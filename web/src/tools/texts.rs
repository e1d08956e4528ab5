//! Texts of these pages alone.

use crate::i18n::texts;
use crate::stores::Ui;
use leptos::prelude::Get;

texts! {
    /// A text of the pages beside the trading screen.
    Words:
    Admin: "관리자", "Administration";
    Console: "테스트 콘솔", "Test console";
    Trading: "거래 화면", "Trading";
    TurnTheme: "밝기 전환", "Light or dark";
    Reload: "새로고침", "Reload";
    Refused: "요청이 거부되었습니다", "The request was refused";
    Done: "처리했습니다", "Done";
    More: "더 보기", "Show more";
    Nothing: "내용이 없습니다", "Nothing here";

    // Administration
    TokenHint: "관리자 토큰을 붙여 넣으세요. 한 대로 실행할 때는 데이터 폴더의 admin.token 파일에 있습니다. 이 화면을 닫으면 사라지며 어디에도 저장하지 않습니다.", "Paste an administrator's token. On one machine it is in the data folder's file admin.token. It is kept nowhere and is gone when this page is.";
    Token: "관리자 토큰", "Administrator's token";
    Enter: "열기", "Open";
    Leave: "잠그기", "Lock";
    TokenBad: "이 토큰으로는 열 수 없습니다", "This token does not open it";
    Sections: "관리 항목", "Sections";
    Symbols: "종목", "Symbols";
    Accounts: "사용자 잔고", "Balances";
    DeadLetters: "처리 실패 기록", "Dead letters";
    Health: "상태", "Health";
    Symbol: "종목", "Symbol";
    State: "상태", "State";
    Trades: "거래 중", "Trading";
    Halted: "거래 정지", "Halted";
    Halt: "거래 정지", "Halt";
    Resume: "거래 재개", "Resume";
    HaltReally: "정말 정지", "Really halt";
    HaltHint: "정지하면 새 주문을 받지 않으며, 남아 있는 주문은 취소할 수 있습니다. 아무도 갖고 있지 않은 종목은 이 화면을 다시 열면 목록에 없습니다.", "A halted symbol takes no new orders; those that rest can be cancelled. One that nobody holds is not listed when this page is opened again.";
    AddSymbol: "종목 추가", "Add a symbol";
    Add: "추가", "Add";
    Holdings: "전체 보유량", "Held by all";
    Action: "작업", "Action";
    User: "사용자", "User";
    Asset: "자산", "Asset";
    Available: "주문가능", "Available";
    Locked: "주문중", "In orders";
    Deposited: "입금 합계", "Deposited";
    Agrees: "일치", "Agrees";
    SearchUser: "사용자 아이디의 일부", "Part of a user's id";
    Search: "찾기", "Search";
    Deposit: "입금", "Deposit";
    Amount: "수량", "Amount";
    DepositHint: "자산은 CASH 또는 종목 이름입니다", "The asset is CASH or a symbol";
    Count: "건수", "Count";
    Consumer: "소비자", "Consumer";
    Place: "스트림 / 샤드 / 번호", "Stream / shard / number";
    Arrived: "도착", "Arrived";
    Reason: "사유", "Reason";
    Body: "내용", "Body";
    NoLetters: "처리하지 못한 기록이 없습니다", "No record failed";
    Version: "버전", "Version";
    Uptime: "가동 시간", "Up for";
    Connections: "연결", "Connections";
    Ledger: "장부", "Ledger";
    Balanced: "모든 지갑이 장부와 일치합니다", "Every wallet agrees with the journal";
    Unbalanced: "장부와 다른 지갑이 있습니다", "Some wallets differ from the journal";
    Totals: "자산별 합계", "Totals by asset";
    Metrics: "지표", "Metrics";
    Filter: "걸러 보기", "Filter";

    // Test console
    Tests: "시험 항목", "Tools";
    SocketLog: "웹소켓", "WebSocket";
    Requests: "요청", "Requests";
    CandleTest: "캔들 시험", "Candle test";
    As: "접속자", "As";
    AsNobody: "익명", "Nobody";
    AsSession: "로그인한 사용자", "Who is logged in";
    AsTest: "테스트 사용자", "A test user";
    TestName: "테스트 이름", "Test name";
    Connect: "연결", "Connect";
    Disconnect: "연결 끊기", "Disconnect";
    Connected: "연결됨", "Connected";
    Disconnected: "연결 안 됨", "Not connected";
    MainSymbol: "주 종목", "Main symbol";
    SubSymbols: "시세판 종목 (쉼표로 구분)", "Board symbols, by commas";
    Subscribe: "구독", "Subscribe";
    Ping: "핑", "Ping";
    RawMessage: "보낼 메시지", "Message to send";
    Send: "보내기", "Send";
    Pause: "멈춤", "Pause";
    Clear: "지우기", "Clear";
    Log: "기록", "Log";
    Messages: "메시지", "messages";
    Opened: "연결이 열렸습니다", "opened";
    Closed: "연결이 닫혔습니다", "closed";
    Method: "방식", "Method";
    Path: "경로", "Path";
    RequestBody: "본문 (JSON)", "Body (JSON)";
    Answer: "응답", "Answer";
    NoAnswer: "응답이 없습니다", "No answer";
    Examples: "보기", "Examples";
    TestHint: "테스트 사용자 두 명이 아래 가격으로 차례로 거래하고, 체결로 계산한 봉을 실시간 봉, /chart의 봉과 비교합니다. 더 긴 봉도 1분봉에서 다시 계산해 비교합니다.", "Two test users trade at these prices one after the other; the candle that the trades make is compared with the live one and with that of /chart. The longer ones are folded from the minutes again.";
    Prices: "가격 (쉼표로 구분)", "Prices, by commas";
    Quantity: "수량", "Quantity";
    Run: "시험 시작", "Run the test";
    Running: "시험 중…", "Running…";
    NeedsTestMode: "이 서버는 테스트 모드가 꺼져 있습니다", "Test mode is off on this server";
    Check: "항목", "Check";
    Expected: "기대한 값", "Expected";
    Seen: "받은 값", "Seen";
    Passed: "통과", "Passed";
    NotPassed: "실패", "Failed";
    LiveCandle: "실시간 1분봉", "Live minute";
    ChartCandle: "/chart 1분봉", "/chart minute";
    AllOrders: "보낸 주문", "Orders sent";
    AllTrades: "받은 체결", "Trades seen";
}

/// A text that follows the language.
pub fn say(ui: Ui, words: Words) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    move || words.of(ui.lang.get())
}
