//! A wallet that lies: it changes what an honest one wrote, and seals it again as the honest one would.

use serde_json::Value;
use vouchsafe_protocol::encoding::{b64u_array, b64u_decode};
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::jose::jwe::{self, Enc, Encrypted, Recipient};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::{AgreementKey, RingAead};
use vouchsafe_wallet::Wallet;
use vouchsafe_wallet::vault::Section;

/// The key of the only conversation that is open in a wallet.
pub(crate) async fn key_of(wallet: &Wallet) -> AgreementKey {
    let record = wallet.vault().scan(Section::Joint).await.unwrap().remove(0);
    let conversation: Value = serde_json::from_slice(&record.plain).unwrap();
    AgreementKey::from_bytes(&b64u_array(conversation["key"].as_str().unwrap()).unwrap()).unwrap()
}

/// What a sealed message says.
pub(crate) fn opened(message: &str, key: &AgreementKey) -> Value {
    let plain = Encrypted::parse(message).unwrap().decrypt(&[Enc::A256Gcm], key, &RingAead).unwrap();
    serde_json::from_slice(&plain).unwrap()
}

/// The header of a sealed message: sender's and recipient's information.
pub(crate) fn parties(message: &str) -> [Vec<u8>; 2] {
    let header = b64u_decode(message.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    ["apu", "apv"].map(|name| b64u_decode(header[name].as_str().unwrap()).unwrap())
}

/// Seals to `key`, with these parties in the header.
pub(crate) fn sealed(value: &Value, key: &PublicJwk, [apu, apv]: &[Vec<u8>; 2]) -> String {
    let kid = vouchsafe_protocol::encoding::b64u(key.thumbprint());
    let recipient = Recipient { key, kid: Some(&kid), enc: Enc::A256Gcm, apu, apv };
    let (entropy, plain) = (OsEntropy::new(), value.to_string());
    let ephemeral = Box::new(AgreementKey::generate(&entropy));
    jwe::encrypt(plain.as_bytes(), &recipient, ephemeral, &RingAead, &mut EntropyRng(&entropy)).unwrap()
}

/// The message for `wallet` with its content changed.
pub(crate) async fn changed(message: &str, wallet: &Wallet, change: impl FnOnce(&mut Value)) -> String {
    use vouchsafe_protocol::jose::KeyAgreement as _;
    let key = key_of(wallet).await;
    let mut value = opened(message, &key);
    change(&mut value);
    sealed(&value, key.public(), &parties(message))
}

/// The message for `wallet` with its header changed.
pub(crate) async fn moved(message: &str, wallet: &Wallet, change: impl FnOnce(&mut [Vec<u8>; 2])) -> String {
    use vouchsafe_protocol::jose::KeyAgreement as _;
    let key = key_of(wallet).await;
    let mut parties = parties(message);
    change(&mut parties);
    sealed(&opened(message, &key), key.public(), &parties)
}
