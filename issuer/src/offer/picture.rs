//! QR codes, as SVG for paper and screens and as characters for a terminal.

use fast_qr::QRBuilder;
use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::QRCode;

/// The text does not fit a QR code.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("the link is too long for a QR code; shorten the issuer's host name")]
pub struct PictureError;

/// Black on white with the quiet zone of four modules that scanners need.
pub(super) fn svg(text: &str) -> Result<String, PictureError> {
    Ok(SvgBuilder::default().margin(4).to_str(&code(text)?))
}

/// Half-height blocks, dark on light.
pub(super) fn text(text: &str) -> Result<String, PictureError> {
    Ok(code(text)?.to_str())
}

fn code(text: &str) -> Result<QRCode, PictureError> {
    QRBuilder::new(text).build().map_err(|_| PictureError)
}
