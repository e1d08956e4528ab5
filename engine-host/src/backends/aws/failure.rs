//! What an error of the clients means for the caller.

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use edge_fns::capability::Error;

/// The capability error for a failed call.
pub(super) fn failed<E>(error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    told(&error)
}

/// The same of one that is kept.
pub fn told<E>(error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => Error::Invalid(chain(error)),
        // Nobody knows whether a request whose connection broke had arrived, unless it was never connected.
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Error::Timeout,
        SdkError::DispatchFailure(failure) => {
            let said = chain(error);
            // The client does not say by its type that no connection came about.
            if failure.is_user() {
                Error::Invalid(said)
            } else if said.contains("tcp connect error") || said.contains("dns error") || failure.is_other() {
                Error::Unavailable(said)
            } else {
                Error::Timeout
            }
        }
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let status = service.raw().status().as_u16();
            meaning(code, status, || match service.err().message() {
                Some(message) => format!("{code}: {message}"),
                None => format!("{code} (HTTP {status})"),
            })
        }
        _ => Error::Internal(chain(error)),
    }
}

fn meaning(code: &str, status: u16, said: impl FnOnce() -> String) -> Error {
    match code {
        "ProvisionedThroughputExceededException"
        | "KMSThrottlingException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "ResourceInUseException"
        | "SlowDown"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => Error::Throttled(None),
        "AccessDenied"
        | "AccessDeniedException"
        | "ForbiddenException"
        | "InvalidAccessKeyId"
        | "InvalidSignatureException"
        | "KMSAccessDeniedException"
        | "NoSuchBucket"
        | "ResourceNotFoundException"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Error::Denied(said()),
        // The credentials are renewed in the background.
        "ExpiredToken" | "ExpiredTokenException" => Error::Unavailable(said()),
        _ => match status {
            429 => Error::Throttled(None),
            503 => Error::Unavailable(said()),
            // A server that failed may have failed after the effect.
            500..=599 => Error::Timeout,
            400..=499 => Error::Invalid(said()),
            _ => Error::Internal(said()),
        },
    }
}

/// An error with all its causes: the outermost says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}

/// The code of a service's refusal, if it is one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error()?.code()
}

/// The HTTP status of a service's answer, if there was one.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let of = |code, status| meaning(code, status, || code.to_string());
        assert_eq!(of("ProvisionedThroughputExceededException", 400), Error::Throttled(None));
        assert_eq!(of("AnythingElse", 429), Error::Throttled(None));
        assert!(matches!(of("ValidationException", 400), Error::Invalid(_)));
        assert!(matches!(of("ResourceNotFoundException", 400), Error::Denied(_)));
        assert!(matches!(of("ServiceUnavailable", 503), Error::Unavailable(_)));
        assert_eq!(of("InternalFailure", 500), Error::Timeout);
    }
}
