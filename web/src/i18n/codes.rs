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
        "throttled" => ("주문이 몰려 처리되지 않음", "too many orders at once"),
        "unavailable" => ("거래 서버에 전달되지 않음", "the exchange could not take it"),
        _ => return None,
    };
    Some(lang.pick(ko, en))
}
