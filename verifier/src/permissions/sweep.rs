//! What time does to permissions: the last day passes, and what was kept long enough is deleted.

use vouchsafe_protocol::permission::record::Happening;
use vouchsafe_protocol::time::UnixTime;

use super::ending;
use crate::app::{App, Unavailable};
use crate::store::{Day, StoreError};

/// How many permissions one round ends.
const ROUND: u32 = 200;

/// Records that the last day of permissions is over, deletes those whose retention is, and writes down how often was asked.
///
/// # Errors
/// When the store does not answer; what was done stays done.
pub async fn sweep(app: &App, now: UnixTime) -> Result<u32, Unavailable> {
    let ended = expire(app, now).await?;
    app.store().forget_permissions(now).await?;
    for ((tenant, day), count) in app.checks().take() {
        app.store().count_checks(&tenant, day, count).await?;
    }
    Ok(ended)
}

async fn expire(app: &App, now: UnixTime) -> Result<u32, Unavailable> {
    let mut ended = 0;
    loop {
        let over = app.store().permissions_over(Day::at(now), ROUND).await?;
        let (found, before) = (over.len(), ended);
        for row in over {
            match ending::end(app, row, Happening::Expired).await {
                Ok(_) => ended += 1,
                // One damaged row keeps no other from its end.
                Err(Unavailable::Store(StoreError::Damaged(column))) => {
                    tracing::error!(column, "a permission cannot be ended, since its record is damaged");
                }
                Err(fault) => return Err(fault),
            }
        }
        if found < ROUND as usize || ended == before {
            return Ok(ended);
        }
    }
}
