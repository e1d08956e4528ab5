//! What appending to a log must do, as far as who appends can see it.

use edge_fns::capability::LogStreams;
use edge_fns::capability::streams::Message;
use std::collections::BTreeSet;

/// The stream must be one that the back end has.
pub async fn suite(streams: &dyn LogStreams, stream: &str) {
    assert_eq!(streams.append(stream, Vec::new()).await.unwrap(), Vec::new());
    let message = |n: usize| Message { partition: format!("P{}", n % 3), body: format!("{n}").into_bytes() };
    let mut names = BTreeSet::new();
    let mut expected = 0;
    for count in [1, 2, 100] {
        let answers = streams.append(stream, (0..count).map(message).collect()).await.unwrap();
        assert_eq!(answers.len(), count, "one answer a message");
        names.extend(answers.into_iter().map(Result::unwrap));
        expected += count;
    }
    let writers = (0..8)
        .map(|n| async move { streams.append(stream, vec![message(n)]).await.unwrap().remove(0).unwrap() });
    names.extend(futures_util::future::join_all(writers).await);
    assert_eq!(names.len(), expected + 8, "no number is given twice");
    // Any bytes are a body, and an empty one too.
    for body in [Vec::new(), (0..=255).collect()] {
        let answers = streams.append(stream, vec![Message { partition: String::new(), body }]).await.unwrap();
        assert!(answers[0].is_ok());
    }
}
