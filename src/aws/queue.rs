//! The function's own queue: one message for each of several accounts.

use std::collections::BTreeMap;
use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use reqwest::Url;
use serde_json::json;

use super::CallError;
use super::call::in_time;

/// What one call takes.
const BATCH: usize = 10;

/// How often what a call did not take is sent again.
const ROUNDS: usize = 4;

/// A queue by its address.
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: Url,
}

/// Accounts whose messages the queue did not take, each with the reason.
pub type Unsent = BTreeMap<String, CallError>;

impl Queue {
    pub fn new(config: &SdkConfig, url: Url) -> Queue {
        Queue { client: aws_sdk_sqs::Client::new(config), url }
    }

    /// Puts a message for each account on the queue, and says which it did not take after all.
    pub async fn ask_for(
        &self,
        accounts: impl IntoIterator<Item = &String>,
        deadline: Option<Instant>,
    ) -> Unsent {
        let mut left: Vec<String> = accounts.into_iter().cloned().collect();
        let mut unsent = Unsent::new();
        for _ in 0..ROUNDS {
            unsent.clear();
            for batch in left.chunks(BATCH) {
                self.send(batch, deadline, &mut unsent).await;
            }
            left = unsent.keys().cloned().collect();
            if left.is_empty() || unsent.values().all(|error| !error.reason.is_passing()) {
                break;
            }
        }
        unsent
    }

    async fn send(&self, batch: &[String], deadline: Option<Instant>, unsent: &mut Unsent) {
        let call = "sqs:SendMessage";
        let entries = batch.iter().map(|account| {
            SendMessageBatchRequestEntry::builder()
                .id(account)
                .message_body(json!({ "account": account }).to_string())
                .build()
                .expect("ID and body are there")
        });
        let request = self.client.send_message_batch().queue_url(self.url.as_str());
        let request = request.set_entries(Some(entries.collect()));
        let sent = match in_time(call, deadline, request.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                unsent.extend(batch.iter().map(|account| (account.clone(), error.clone())));
                return;
            }
        };
        for account in batch {
            if sent.successful().iter().any(|entry| entry.id() == account) {
                continue;
            }
            let failed = sent.failed().iter().find(|entry| entry.id() == account);
            let error = match failed {
                Some(entry) => CallError::refused_entry(
                    call,
                    format!("{} ({})", entry.message().unwrap_or("no reason given"), entry.code()),
                    !entry.sender_fault(),
                ),
                None => CallError::empty(call),
            };
            unsent.insert(account.clone(), error);
        }
    }
}
