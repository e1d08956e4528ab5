//! Why an invocation has no answer, under names that alarms and retry rules can be written for.

use edge_fns::capability::Error;
use edge_host::HandlerError;
use lambda_runtime::Diagnostic;

/// The `errorType` is `Supernoba.` and the name of the case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("this is no event of API Gateway, Kinesis or EventBridge")]
    UnknownEvent,
    #[error("the event cannot be read: {0}")]
    BadEvent(String),
    /// Two settings that do not go together: the function's handler and what invokes it.
    #[error("{0}")]
    WrongEvent(String),
    #[error("{0}")]
    Trap(String),
    #[error("{0}")]
    OverLimit(String),
    #[error("{0}")]
    Timeout(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("the timer's work is not done: {0}")]
    NotDone(Error),
    /// A record can never be processed, and there is nowhere to put it.
    #[error("rejected, and DEAD_LETTER_STREAM is not set: {0}")]
    Rejected(String),
}

impl Failure {
    pub fn error_type(&self) -> &'static str {
        match self {
            Failure::UnknownEvent => "Supernoba.UnknownEvent",
            Failure::BadEvent(_) => "Supernoba.BadEvent",
            Failure::WrongEvent(_) => "Supernoba.WrongEvent",
            Failure::Trap(_) => "Supernoba.Trap",
            Failure::OverLimit(_) => "Supernoba.OverLimit",
            Failure::Timeout(_) => "Supernoba.Timeout",
            Failure::Unavailable(_) => "Supernoba.Unavailable",
            Failure::NotDone(_) => "Supernoba.NotDone",
            Failure::Rejected(_) => "Supernoba.Rejected",
        }
    }
}

impl From<HandlerError> for Failure {
    fn from(error: HandlerError) -> Failure {
        let message = error.to_string();
        match error {
            HandlerError::NoSuchHandler(_) | HandlerError::WrongKind { .. } => Failure::WrongEvent(message),
            HandlerError::Trap { .. } => Failure::Trap(message),
            // Some record or request makes it compute without end.
            HandlerError::OverLimit { .. } | HandlerError::Timeout { computing: true, .. } => {
                Failure::OverLimit(message)
            }
            HandlerError::Timeout { .. } => Failure::Timeout(message),
            HandlerError::Unavailable { .. } => Failure::Unavailable(message),
        }
    }
}

/// What Lambda is told.
impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Diagnostic {
        Diagnostic { error_type: failure.error_type().into(), error_message: failure.to_string() }
    }
}
