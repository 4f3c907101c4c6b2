-- The applier's lock, and with it the limit after which the server ends a holder that says nothing: one that
-- is stopped between two statements must not keep the lock for good.

-- name: lock
-- purpose: waits for the lock ($1, $2); silent for $3, its holder is ended
-- index: none
SELECT
    set_config('idle_session_timeout', $3, false) AS limited,
    pg_advisory_lock($1, $2) AS locked

-- name: try_lock
-- purpose: the same, without waiting; NULL where another has the lock
-- index: none
SELECT CASE WHEN pg_try_advisory_lock($1, $2) THEN set_config('idle_session_timeout', $3, false) END

-- name: unlock
-- purpose: lets go of the lock and of the limit
-- index: none
SELECT
    set_config('idle_session_timeout', '0', false) AS unlimited,
    pg_advisory_unlock($1, $2) AS unlocked
