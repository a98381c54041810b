//! Several accounts at once: the real program against a fake AWS that holds all of them.

#[path = "../support/mod.rs"]
mod support;

mod folder;
mod repository;

use support::fake_aws::{ACCOUNT, FakeAws, World};

pub const BUILD: &str = "222233334444";
pub const DATA: &str = "333344445555";

/// The account of the credentials, which is the management account, and two members.
pub fn organization() -> FakeAws {
    let own = World {
        accounts: [(ACCOUNT, "r-ab12"), (BUILD, "ou-ab12-cdefgh34"), (DATA, "ou-ab12-cdefgh56")]
            .map(|(id, parent)| (id.to_owned(), parent, "ACTIVE"))
            .to_vec(),
        units: vec![("ou-ab12-cdefgh34", "r-ab12"), ("ou-ab12-cdefgh56", "ou-ab12-cdefgh34")],
        ..World::small()
    };
    FakeAws::start(own).with_members([BUILD, DATA].map(World::member))
}
