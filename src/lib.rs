pub mod invisible;
pub mod json;
pub mod policy_document;
pub mod terraform;
