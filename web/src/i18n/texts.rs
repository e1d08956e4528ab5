//! The table of texts.

macro_rules! texts {
    ($(#[$about:meta])* $table:ident: $($name:ident: $ko:literal, $en:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $table {
            $($name,)*
        }

        impl $table {
            #[cfg(test)]
            pub const ALL: &[$table] = &[$($table::$name,)*];

            pub const fn of(self, lang: $crate::i18n::Lang) -> &'static str {
                match self {
                    $($table::$name => lang.pick($ko, $en),)*
                }
            }
        }
    };
}

pub(crate) use texts;

texts! {
    /// A text of the page.
    Text:
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
    BookRows: "호가표", "Rows";
    BookCurve: "깊이", "Depth";
    BookGroup: "호가 모아보기 (틱)", "Ticks in a row";
    Star: "관심 종목", "Favourite";
    OnlyStars: "관심 종목만", "Favourites only";
    NoMatch: "찾는 종목이 없습니다", "No such market";
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
    SavePicture: "차트를 PNG 그림으로 저장", "Save the chart as PNG";
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
    StopLimit: "스탑지정가", "Stop-limit";
    Stop: "스탑", "Stop";
    StopPrice: "감시가", "Stop price";
    PostOnly: "메이커 전용", "Post only";
    PostOnlyHint: "바로 체결될 주문이면 거부합니다", "Refused if it would fill at once";
    Display: "표시 수량", "Visible";
    DisplayAll: "전량", "All";
    DisplayHint: "빙산 주문: 호가창에는 이만큼만 보입니다", "Iceberg: the book shows no more than this";
    WillLock: "주문 시 묶이는 금액", "Locked when sent";
    Fee: "수수료", "Fee";
    LeftAfter: "주문 후 잔고", "Left after that";
    NotEnough: "잔고 부족", "Not enough";
    ConfirmOrder: "주문 확인", "Confirm the order";
    Send: "주문 전송", "Send";
    Back: "돌아가기", "Back";
    DoNotAsk: "다음부터 묻지 않기", "Do not ask again";
    OrderUnknown: "주문 결과를 알 수 없습니다", "The order's fate is not known";
    OrderUnknownHint: "같은 주문을 다시 보내도 중복되지 않습니다", "Sending the same order again will not double it";
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
    StopEmpty: "감시가를 입력하세요", "Enter a stop price";
    StopBad: "감시가는 0보다 큰 정수로 입력하세요", "The stop price must be a whole number above zero";
    DisplayBad: "표시 수량은 0보다 큰 정수로 입력하세요", "The visible quantity must be a whole number above zero";
    DisplayTooLarge: "표시 수량이 주문 수량보다 큽니다", "The visible quantity is larger than the order";
    QuantityEmpty: "수량을 입력하세요", "Enter a quantity";
    QuantityNotANumber: "수량은 정수로 입력하세요", "The quantity must be a whole number";
    QuantityZero: "수량은 0보다 커야 합니다", "The quantity must be above zero";
    QuantityTooLarge: "수량이 너무 큽니다", "The quantity is too large";
    TotalTooLarge: "주문 총액이 너무 큽니다", "The order's total is too large";

    // Orders and balances
    OpenOrders: "미체결", "Open orders";
    History: "주문내역", "Order history";
    Balances: "보유자산", "Balances";
    Orders: "내역", "Orders";
    NoOpenOrders: "미체결 주문이 없습니다", "No open orders";
    NoHistory: "주문내역이 없습니다", "No orders yet";
    NoBalances: "로그인하면 자산이 표시됩니다", "Log in to see your balances";
    LoginForOrders: "로그인하면 주문이 표시됩니다", "Log in to see your orders";
    Fills: "체결내역", "Fills";
    NoFills: "체결내역이 없습니다", "No fills yet";
    FillId: "체결 번호", "Fill id";
    Role: "역할", "Role";
    Maker: "메이커", "Maker";
    Taker: "테이커", "Taker";
    Worth: "평가금액", "Value";
    AllAssets: "전체", "All";
    ProfitCut: "최근 체결 20,000건으로 계산했습니다", "Reckoned from the newest 20,000 fills";
    SaveList: "전체 목록을 CSV 파일로 저장", "Save all of the list as CSV";
    ListSaved: "CSV로 저장했습니다", "Saved as CSV";
    ListNotSaved: "목록을 저장하지 못했습니다", "The list could not be saved";
    ListFailed: "목록을 불러오지 못했습니다", "The list could not be loaded";
    More: "더 보기", "Show more";
    Side: "구분", "Side";
    Kind: "유형", "Type";
    Filled: "체결", "Filled";
    Remaining: "잔량", "Remaining";
    AveragePrice: "체결가", "Avg. price";
    Status: "상태", "Status";
    Action: "취소", "Cancel";
    Cancel: "취소", "Cancel";
    CancelAll: "전체 취소", "Cancel all";
    OnlyThisSymbol: "이 종목만", "Only";
    Amend: "정정", "Amend";
    AmendBad: "가격과 수량을 0보다 큰 정수로 입력하세요", "Price and quantity must be whole numbers above zero";
    AmendHint: "수량만 줄이면 대기 순서가 유지됩니다", "Only a smaller quantity keeps the place in the queue";
    OpenQuantity: "미체결 수량", "Open quantity";
    OrderId: "주문 번호", "Order id";
    Reason: "사유", "Reason";
    AverageCost: "평균 매수가", "Average cost";
    Unrealised: "평가손익", "Unrealised P/L";
    Realised: "실현손익", "Realised P/L";
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
    NewsTriggered: "감시가 도달", "Stop reached";
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
    Sandbox: "샌드박스", "Sandbox";
    FirstInLine: "맨 앞", "first in line";
    Theme: "화면 테마", "Theme";
    ThemeDark: "어둡게", "Dark";
    ThemeLight: "밝게", "Light";
    ThemeSystem: "시스템", "System";
    RisingColour: "상승 색", "Rising";
    RisingByLanguage: "언어별", "By language";
    RisingRed: "빨강", "Red";
    RisingGreen: "초록", "Green";
    Layout: "화면 배치", "Layout";
    Settings: "설정", "Settings";
    OrdersHeight: "내역 높이", "Height of the orders";
    LayoutReset: "기본 배치로", "Usual layout";
    Arrange: "끌어서 배치하기", "Arrange by dragging";
    ArrangeHint: "끌어서 자리를 바꾸세요. 좌우 방향키로도 옮길 수 있습니다", "Drag a column to another's place, or use the left and right arrow keys";
    ArrangeDone: "완료", "Done";
    MoveColumn: "끌거나 좌우 방향키로 옮기기", "drag or use the arrow keys to move";
    Install: "앱으로 설치", "Install as an app";
    Administration: "관리자", "Administration";
    TestConsole: "테스트 콘솔", "Test console";
    MoveLeft: "왼쪽으로", "Move left";
    MoveRight: "오른쪽으로", "Move right";
    ConfirmsOn: "주문 전 확인", "Ask before sending orders";
    OfflineBanner: "서버와 연결이 끊겼습니다. 시세가 멈춰 있습니다", "Not connected: prices stand still";
    StaleBanner: "새 시세가 오지 않습니다", "No news from the server";
    Latency: "지연 시간", "Round trip";
    FeedLive: "실시간", "Live";
    FeedConnecting: "연결 중", "Connecting";
    PartLoading: "불러오는 중…", "Loading…";
    PartFailed: "이 부분을 불러오지 못했습니다", "This part could not be loaded";
    TryAgain: "다시 시도", "Try again";
    FeedOffline: "연결 끊김", "Offline";
    Keys: "단축키", "Keys";
    KeysHint: "b 매수 · s 매도 · p 가격 · q 수량 · / 검색 · Shift+Esc 전체 취소", "b buy · s sell · p price · q quantity · / search · Shift+Esc cancel all";
    Notifications: "알림", "Notifications";
    LoadFailed: "시세를 불러오지 못했습니다", "Market data could not be loaded";
    SkipToOrder: "주문으로 건너뛰기", "Skip to the order form";
}
