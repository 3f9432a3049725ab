//! How long a large store takes to come back after a kill. Takes a minute and
//! two gibibytes of disk, so it runs only when asked for:
//! `cargo test --release --workspace --test it -- --ignored`.

use std::time::{Duration, Instant};

use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Session, Transport};
use crate::delivery::ann_and_ben;

/// Promised for a store of one gibibyte.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
#[ignore = "writes a gibibyte"]
async fn a_store_of_one_gibibyte_is_back_within_ten_seconds() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    // Does not compress, and no two messages are the same.
    let noise: String = (0..200_000).map(|_| fastrand::alphanumeric()).collect();
    let text = |number: usize| format!("{number} {}", &noise[number % 100_000..][..99_980]);
    let (mut written, mut number, mut conversation) = (0, 0, None);
    while written < 1 << 30 {
        let batch: Vec<_> = (number..number + 8)
            .map(|number| send_to(&ben.user, &number.to_string(), &text(number)))
            .collect();
        for said in session.ask_all(batch).await.unwrap() {
            let Said::Sent(sent) = said else { panic!("{said:?}") };
            conversation = Some(conversation_of(&sent));
            written += 99_980;
        }
        number += 8;
    }
    server.kill();
    let began = Instant::now();
    server.restart().await;
    let took = began.elapsed();
    println!("{number} messages, {written} bytes: back after {took:?}");
    assert!(took <= RECOVERED_WITHIN, "{took:?}");
    let conversation = conversation.unwrap();
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    for at in [0, number / 2, number - 1] {
        let page = session.fetch_after(&conversation, at as u64, 1).await.unwrap();
        assert_eq!(text_of(&entries_of(&page.entries)[0]), text(at));
        assert_eq!(page.last_seq, number as u64);
    }
}
