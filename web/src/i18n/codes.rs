//! The server's stable codes in words. A code that is not here is shown with the server's own message.

use super::Lang;

/// A refusal of a REST call or of the WebSocket.
pub fn code_text(code: &str, lang: Lang) -> Option<&'static str> {
    let (ko, en) = match code {
        "bad_json" | "missing_field" | "bad_field" | "unknown_field" | "bad_cursor" | "bad_limit"
        | "bad_interval" => ("요청 형식이 올바르지 않습니다", "The request is not well formed"),
        "bad_side" => ("매수 또는 매도를 선택하세요", "Choose buy or sell"),
        "bad_type" => ("주문 유형이 올바르지 않습니다", "Unknown order type"),
        "bad_tif" => ("주문 조건이 올바르지 않습니다", "Unknown time in force"),
        "bad_price" => ("가격이 올바르지 않습니다", "The price is not valid"),
        "bad_quantity" => ("수량이 올바르지 않습니다", "The quantity is not valid"),
        "bad_stop" => ("감시가가 올바르지 않습니다", "The stop price is not valid"),
        "bad_display" => ("표시 수량이 올바르지 않습니다", "The visible quantity is not valid"),
        "bad_post_only" => (
            "메이커 전용은 취소 시까지 유효한 지정가 주문에만 쓸 수 있습니다",
            "Only a limit order that may rest can be post-only",
        ),
        "upgrade_required" => ("서버가 지원하지 않는 요청입니다", "The server does not know this request"),
        "http" | "bad_answer" => {
            ("서버의 답을 이해하지 못했습니다", "The server's answer was not understood")
        }
        "notional_too_large" => ("주문 총액이 너무 큽니다", "The order's total is too large"),
        "bad_symbol" | "unknown_symbol" => ("거래할 수 없는 종목입니다", "This symbol cannot be traded"),
        "token_missing" => ("로그인이 필요합니다", "Please log in first"),
        "token_malformed" | "token_bad_signature" | "token_wrong_audience" => (
            "로그인 정보가 올바르지 않습니다. 다시 로그인하세요",
            "The login is not valid, please log in again",
        ),
        "token_expired" => {
            ("로그인이 만료되었습니다. 다시 로그인하세요", "The login has expired, please log in again")
        }
        "test_mode_off" => ("이 서버는 테스트 모드를 허용하지 않습니다", "Test mode is off on this server"),
        "bad_test_user" => (
            "테스트 이름은 영문 소문자, 숫자, 하이픈만 쓸 수 있습니다",
            "Test names are small letters, digits and hyphens",
        ),
        "forbidden" => ("권한이 없습니다", "You are not allowed to do that"),
        "unknown_order" => ("주문을 찾을 수 없습니다", "There is no such order"),
        "not_found" | "method_not_allowed" | "gone" | "unsupported_media_type" => {
            ("서버가 지원하지 않는 요청입니다", "The server does not know this request")
        }
        "order_closed" => ("이미 종료된 주문입니다", "The order is already closed"),
        "no_opposite_quote" => (
            "반대편 호가가 없어 시장가로 체결할 수 없습니다",
            "Nobody is on the other side for a market order",
        ),
        "stale_order" => ("주문이 그사이 변경되었습니다", "The order has changed in the meantime"),
        "body_too_large" => ("요청이 너무 큽니다", "The request is too large"),
        "insufficient_balance" => ("주문 가능 잔고가 부족합니다", "Not enough available balance"),
        "throttled" => {
            ("요청이 너무 많습니다. 잠시 후 다시 시도하세요", "Too many requests, try again in a moment")
        }
        "internal" => ("서버 오류가 발생했습니다", "The server had an error"),
        "unavailable" => {
            ("서비스를 일시적으로 사용할 수 없습니다", "The service is not available at the moment")
        }
        "timeout" => ("응답 시간이 초과되었습니다", "The answer took too long"),
        "network" => ("서버에 연결할 수 없습니다", "The server cannot be reached"),
        _ => return None,
    };
    Some(lang.pick(ko, en))
}

/// A refusal of a log-in or sign-up.
pub fn auth_text(code: &str, lang: Lang) -> Option<&'static str> {
    let (ko, en) = match code {
        "email_exists" | "user_already_exists" => {
            ("이미 가입된 이메일입니다", "This email is already registered")
        }
        "weak_password" => ("비밀번호가 너무 약합니다", "The password is too weak"),
        "validation_failed" => ("이메일과 비밀번호를 확인하세요", "Check the email and the password"),
        "invalid_credentials" => ("이메일 또는 비밀번호가 맞지 않습니다", "Wrong email or password"),
        "refresh_token_not_found" | "bad_jwt" => {
            ("로그인이 만료되었습니다. 다시 로그인하세요", "The login has expired, please log in again")
        }
        "no_authorization" => ("로그인이 필요합니다", "Please log in first"),
        "user_not_found" => ("계정을 찾을 수 없습니다", "There is no such account"),
        "over_request_rate_limit" => {
            ("시도가 너무 많습니다. 잠시 후 다시 시도하세요", "Too many attempts, try again in a moment")
        }
        "unexpected_failure" => ("서버 오류가 발생했습니다", "The server had an error"),
        _ => return None,
    };
    Some(lang.pick(ko, en))
}

/// Why an order was refused or cancelled.
pub fn reason_text(reason: &str, lang: Lang) -> Option<&'static str> {
    let (ko, en) = match reason {
        "user" => ("사용자 취소", "cancelled by you"),
        "ioc" => ("즉시 체결되지 않은 잔량 취소 (IOC)", "the rest was not filled at once (IOC)"),
        "fok" => ("전량 즉시 체결 불가 (FOK)", "could not be filled wholly at once (FOK)"),
        "no_opposite_quote" => ("반대편 호가 없음", "nobody on the other side"),
        "protection" => ("시장가 보호 가격 도달", "the market order's protection price was reached"),
        "zero_quantity" => ("수량이 0입니다", "the quantity is zero"),
        "quantity_too_large" => ("수량이 너무 큽니다", "the quantity is too large"),
        "zero_price" => ("가격이 0입니다", "the price is zero"),
        "price_too_large" => ("가격이 너무 큽니다", "the price is too large"),
        "notional_too_large" => ("주문 총액이 너무 큽니다", "the total is too large"),
        "book_full" => ("호가창이 가득 찼습니다", "the book is full"),
        "duplicate_order" => ("중복 주문", "the order is there already"),
        "unknown_order" => ("이미 종료되었거나 없는 주문", "the order is closed or not there"),
        "not_owner" => ("본인의 주문이 아님", "the order is not yours"),
        "stale_order" => ("주문이 그사이 변경됨", "the order has changed in the meantime"),
        "quantity_too_small" => ("수량이 너무 작습니다", "the quantity is too small"),
        "not_a_lot" => ("수량 단위에 맞지 않습니다", "the quantity is not a multiple of the lot"),
        "not_a_tick" => ("호가 단위에 맞지 않습니다", "the price is not a multiple of the tick"),
        "outside_band" => ("상하한가를 벗어났습니다", "the price is outside the day's limits"),
        "bad_combination" => ("함께 쓸 수 없는 조건입니다", "these terms exclude each other"),
        "display_too_small" => ("표시 수량이 너무 작습니다", "the visible part is too small"),
        "already_expired" => ("이미 지난 만료 시각입니다", "its end is in the past"),
        "would_take" => ("바로 체결될 메이커 전용 주문", "post only, and it would have filled at once"),
        "minimum_quantity" => ("최소 체결 수량 미달", "the book could not fill the minimum"),
        "budget" => ("예산 소진", "the budget was used up"),
        "self_trade" => ("자기 주문과의 체결 방지", "it would have traded with yourself"),
        "expired" => ("주문 기한 만료", "its time was over"),
        "linked" => ("연결된 주문이 체결되거나 종료됨", "the linked order traded or ended"),
        "bad_link" => ("연결할 주문이 없습니다", "the order to link to is not there"),
        "wrong_phase" => ("지금은 받을 수 없는 주문입니다", "the market does not take this now"),
        "volatility" => ("변동성 완화 장치 발동", "the price moved too far at once"),
        "delisted" => ("상장 폐지된 종목", "the symbol is no longer traded"),
        "mass_cancel" => ("일괄 취소", "all orders were cancelled at once"),
        "disconnected" => ("연결 종료로 취소", "the connection was gone"),
        "too_many_orders" => ("종목의 주문이 너무 많습니다", "the symbol has too many orders"),
        "too_many_account_orders" => ("주문이 너무 많습니다", "you have too many orders"),
        "too_many_watched" => ("대기 중인 조건 주문이 너무 많습니다", "too many orders are waiting"),
        "bad_definition" | "not_empty" | "bad_phase" => {
            ("종목 설정 오류", "the symbol is not set up for this")
        }
        "insufficient_balance" => ("주문 가능 잔고 부족", "not enough available balance"),
        "throttled" => ("주문이 몰려 처리되지 않음", "too many orders at once"),
        "unavailable" => ("거래 서버에 전달되지 않음", "the exchange could not take it"),
        _ => return None,
    };
    Some(lang.pick(ko, en))
}
