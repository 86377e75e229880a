//! Attacks on the credential: what its issuer would not have signed, and what was done to it afterwards.

use serde_json::json;

use crate::answer::Spoil::{Credential, Token};
use crate::answer::{Door, Part, Spoil};
use crate::runner::run;

struct SdJwt;

impl Part for SdJwt {
    const NAME: &'static str = "sd-jwt";
    const ATTACKS: &'static [(&'static str, &'static str, Spoil)] = &[
        ("typ-older", "plain", Credential(|c, _| c.header["typ"] = json!("vc+sd-jwt"))),
        (
            "signature-flipped",
            "plain",
            Token(|t| {
                t.alter(2, |mut s| {
                    s[7] ^= 1;
                    s
                })
            }),
        ),
    ];
}

#[tokio::test(flavor = "multi_thread")]
async fn sd_jwt() {
    run::<Door<SdJwt>>().await;
}
