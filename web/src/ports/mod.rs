//! The browser, in six small pieces; nothing else of the page touches it except the views.

pub mod browser;
pub mod http;
pub mod lock;
pub mod socket;
pub mod storage;
pub mod worker;
