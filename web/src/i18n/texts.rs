//! The table of texts.

use super::Lang;

macro_rules! texts {
    ($($name:ident: $ko:literal, $en:literal;)*) => {
        /// A text of the page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Text {
            $($name,)*
        }

        impl Text {
            #[cfg(test)]
            pub const ALL: &[Text] = &[$(Text::$name,)*];

            pub const fn of(self, lang: Lang) -> &'static str {
                match self {
                    $(Text::$name => lang.pick($ko, $en),)*
                }
            }
        }
    };
}

texts! {
    // Market
    Markets: "종목", "Markets";
    Search: "종목 검색", "Search";
    NoMarkets: "상장된 종목이 없습니다", "No markets listed";
    Symbol: "종목", "Symbol";
    LastPrice: "현재가", "Last price";
    Change: "전일대비", "Change";
    TodayHigh: "고가(당일)", "Today high";
    TodayLow: "저가(당일)", "Today low";
    TodayVolume: "거래량(당일)", "Today volume";
    Chart: "차트", "Chart";
    OrderBook: "호가", "Order book";
    Spread: "스프레드", "Spread";
    Trades: "체결", "Trades";
    NoTrades: "체결 내역이 없습니다", "No trades yet";
    Price: "가격", "Price";
    Quantity: "수량", "Quantity";
    Cumulative: "누적", "Total";
    Time: "시간", "Time";
    OpenShort: "시", "O";
    HighShort: "고", "H";
    LowShort: "저", "L";
    CloseShort: "종", "C";
    VolumeShort: "량", "V";
    Interval: "봉 주기", "Interval";
    Indicators: "지표", "Indicators";
    UsualNumbers: "기본값으로", "Usual numbers";
    Period: "기간", "Period";
    FastPeriod: "단기", "Fast";
    SlowPeriod: "장기", "Slow";
    SignalPeriod: "시그널", "Signal";
    BandWidth: "폭 (표준편차 × 0.1)", "Width (tenths of a deviation)";
    NameMa: "이동평균", "Moving averages";
    NameEma: "지수이동평균", "Exponential averages";
    NameBollinger: "볼린저 밴드", "Bollinger bands";
    NameVwap: "거래량 가중 평균", "Volume-weighted price";
    NameRsi: "상대강도지수", "Relative strength";
    NameMacd: "이동평균 수렴·확산", "Convergence";
    ToNewest: "최신 봉으로", "To the newest candle";
    SavePicture: "차트를 PNG로 저장", "Save the chart as PNG";
    SaveFailed: "차트를 저장하지 못했습니다", "The chart could not be saved";
    MoveOrder: "주문 가격 정정", "Move the order";
    MoveHint: "끌어서 정정 · 방향키와 Enter · Esc 취소", "Drag to amend · arrow keys and Enter · Esc lets go";
    MoveRefused: "정정 실패", "Amendment refused";
    NoCandles: "아직 체결이 없습니다", "Nothing has traded yet";

    // Order form
    Order: "주문", "Order";
    Buy: "매수", "Buy";
    Sell: "매도", "Sell";
    Limit: "지정가", "Limit";
    Market: "시장가", "Market";
    Tif: "주문 조건", "Time in force";
    TifGtc: "취소 시까지 유효", "Good till cancelled";
    TifIoc: "즉시 체결, 잔량 취소", "Immediate or cancel";
    TifFok: "전량 즉시 체결", "Fill or kill";
    Available: "주문가능", "Available";
    Total: "총액", "Total";
    EstimatedTotal: "예상 총액", "Estimated total";
    PriceUp: "한 틱 올리기", "One tick up";
    PriceDown: "한 틱 내리기", "One tick down";
    MarketPrice: "시장 가격으로 즉시 체결", "Fills at once at the market";
    ShareOfBalance: "주문가능 잔고의 비율", "Share of the available balance";
    LoginToTrade: "로그인하고 거래하기", "Log in to trade";
    LoginHint: "시세는 로그인 없이 볼 수 있습니다", "Market data is open to everyone";
    Sending: "주문 전송 중…", "Sending…";
    NoReference: "호가가 없어 수량을 계산할 수 없습니다", "There is no price to work the quantity out from";
    Cash: "현금", "Cash";

    // Input faults
    PriceEmpty: "가격을 입력하세요", "Enter a price";
    PriceNotANumber: "가격은 정수로 입력하세요", "The price must be a whole number";
    PriceZero: "가격은 0보다 커야 합니다", "The price must be above zero";
    PriceTooLarge: "가격이 너무 큽니다", "The price is too large";
    QuantityEmpty: "수량을 입력하세요", "Enter a quantity";
    QuantityNotANumber: "수량은 정수로 입력하세요", "The quantity must be a whole number";
    QuantityZero: "수량은 0보다 커야 합니다", "The quantity must be above zero";
    QuantityTooLarge: "수량이 너무 큽니다", "The quantity is too large";
    TotalTooLarge: "주문 총액이 너무 큽니다", "The order's total is too large";

    // Orders and balances
    OpenOrders: "미체결", "Open orders";
    History: "거래내역", "Order history";
    Balances: "보유자산", "Balances";
    Orders: "내역", "Orders";
    NoOpenOrders: "미체결 주문이 없습니다", "No open orders";
    NoHistory: "거래내역이 없습니다", "No orders yet";
    NoBalances: "로그인하면 자산이 표시됩니다", "Log in to see your balances";
    LoginForOrders: "로그인하면 주문이 표시됩니다", "Log in to see your orders";
    More: "더 보기", "Show more";
    Side: "구분", "Side";
    Kind: "유형", "Type";
    Filled: "체결", "Filled";
    Remaining: "잔량", "Remaining";
    AveragePrice: "체결가", "Avg. price";
    Status: "상태", "Status";
    Action: "취소", "Cancel";
    Cancel: "취소", "Cancel";
    Asset: "자산", "Asset";
    Locked: "주문중", "In orders";
    Sum: "합계", "Sum";

    // Order states
    StatePending: "접수 중", "Pending";
    StateAccepted: "대기", "Open";
    StatePartiallyFilled: "부분 체결", "Partially filled";
    StateFilled: "체결 완료", "Filled";
    StateCancelled: "취소됨", "Cancelled";
    StateRejected: "거부됨", "Rejected";
    NewsAccepted: "주문 접수", "Order accepted";
    NewsPartiallyFilled: "부분 체결", "Partially filled";
    NewsFilled: "체결 완료", "Order filled";
    NewsCancelled: "주문 취소", "Order cancelled";
    NewsRejected: "주문 거부", "Order rejected";
    NewsReplaced: "주문 정정", "Order amended";
    NewsCancelRejected: "취소 거부", "Cancel rejected";
    NewsReplaceRejected: "정정 거부", "Amendment rejected";
    OrderRefused: "주문 실패", "Order refused";
    CancelRefused: "취소 실패", "Cancel refused";

    // Log-in
    Login: "로그인", "Log in";
    Logout: "로그아웃", "Log out";
    SignUp: "회원가입", "Sign up";
    TestLogin: "테스트 모드로 시작", "Start in test mode";
    TestHint: "이름만 입력하면 데모 자산으로 바로 거래할 수 있습니다", "Pick a name and trade at once with demo balances";
    TestName: "테스트 이름", "Test name";
    TestNameBad: "영문 소문자, 숫자, 하이픈만 쓸 수 있습니다 (48자 이하)", "Small letters, digits and hyphens, at most 48";
    Account: "이메일 계정", "Email account";
    Email: "이메일", "Email";
    Password: "비밀번호", "Password";
    Close: "닫기", "Close";
    LoggedIn: "로그인했습니다", "Logged in";
    LoggedOut: "로그아웃했습니다", "Logged out";
    SessionEnded: "로그인이 만료되었습니다", "Your login has expired";
    TestBadge: "테스트", "TEST";

    // Frame
    Language: "언어", "Language";
    FeedLive: "실시간", "Live";
    FeedConnecting: "연결 중", "Connecting";
    FeedOffline: "연결 끊김", "Offline";
    Notifications: "알림", "Notifications";
    LoadFailed: "시세를 불러오지 못했습니다", "Market data could not be loaded";
    SkipToOrder: "주문으로 건너뛰기", "Skip to the order form";
}
