-- The road: who takes part, what is asked, who tries, what is believed, what it earns.
-- Nouns as in docs/glossary.md. Rows of datasets and bytes never live here, only their hashes.
-- What is written for every task (task, envelope, assignment, earning) refers to nothing: whoever writes it has just
-- locked what it names, and looking that up once more would cost as much as the row itself.

create table owner (
    id      text primary key,                      -- fingerprint of its key
    key     bytea not null check (length(key) = 32),
    since   timestamptz not null
);

create table node (
    id        text primary key,                    -- fingerprint of its key
    key       bytea not null check (length(key) = 32),
    owner     text not null references owner,
    name      text not null unique,
    hands     text not null,
    simulated boolean not null,
    cores     integer not null,
    memory_mb integer not null,
    kinds     text[] not null default '{}',        -- what it last said it can do, engine included
    address   text not null default '',            -- as the coordinator observes it
    serial    bigint not null default 0,           -- of its last exchange,
    envelope  text,                                -- and that exchange's envelope
    joined    timestamptz not null,
    seen      timestamptz not null                 -- no index: each exchange changes it, and then costs none either
) with (fillfactor = 50);
create index node_owner on node (owner);

create table envelope (                            -- signed bytes and signatures as they came, for ever; only
                                                   -- those that carry evidence
    id     text primary key,
    node   text not null,
    serial bigint not null,
    body   bytea not null,
    at     timestamptz not null
);

create table campaign (
    id        bigint generated always as identity primary key,
    name      text not null,
    requester text not null,                       -- whose account paid and gets the rest back
    spec      bytea not null,                      -- as it was sent
    dataset   text not null,                       -- the step that it publishes
    private   boolean not null,                    -- by its terms: who may see its rows, tasks and results
    overturned bigint not null default 0,          -- the last of its verdicts that replaced another,
    rowless   bigint not null default -1,          -- and what that was when it was cut short and had no row to publish
    budget    bigint not null check (budget > 0),
    state     text not null check (state in ('running', 'done', 'cancelled')),
    created   timestamptz not null,
    ends      timestamptz not null,
    cancelled boolean not null default false,      -- before its time: it runs until all is paid, and its name is free
    ended     timestamptz
);
create unique index campaign_runs_once on campaign (name) where state = 'running' and not cancelled;

create table step (
    id         bigint generated always as identity primary key,
    campaign   bigint not null references campaign,
    position   smallint not null,
    name       text not null,
    path       text not null,                      -- campaign/step: names its rows
    kind       text,                               -- null: an input, sealed from the start
    kind_hash  text,
    options    bytea not null,
    source     bigint references step,
    price      bigint not null,
    unit       text not null,
    audit      integer not null,                   -- ppm of tasks
    chance     integer not null default 0,         -- what a guess is right in, ppm
    shared     boolean not null default false,     -- several owners of one network may try a task of it
    appeal     interval not null,
    state      text not null check (state in ('running', 'sealed')),
    standing   boolean not null default false,
    plan_state bytea not null default '',
    planned_in integer not null default 0,         -- the epoch in which its plan was last asked
    open_told  integer not null default 0,         -- tasks that were open when its plan was last asked, its own included
    finished   boolean not null default false,     -- its plan will add nothing
    ended_told boolean not null default false,     -- its plan knows that no input will come
    started    timestamptz,
    sealed     timestamptz,
    version    bytea,                              -- once sealed: its shards without what was overturned
    unique (campaign, name)
);

create table shard (
    id     bigint generated always as identity primary key,
    step   bigint not null references step,
    blob   text not null,
    rows   integer not null,
    bytes  bigint not null,
    sealed timestamptz not null
);
create index shard_step on shard (step, id);

create table feed (                                -- sealed shards that a step's plan has not seen
    step  bigint not null references step,
    shard bigint not null references shard,
    primary key (step, shard)
);

create table task (
    id        bigint generated always as identity primary key,
    step      bigint not null,
    kind      text not null,                       -- 'kind' or, with the engine, 'kind+engine'
    body      bytea not null,
    reads     bytea not null,                      -- shards that its rows may come from
    units     integer not null,
    rank      smallint not null,                   -- lower first: audits, then the steps nearest to the dataset
    pinned    text,
    audited   boolean not null,                    -- always, whatever the draw says
    challenges integer not null default 0,
    holds     bytea not null default '[]',         -- shards that may be challenged
    until     timestamptz,                         -- standing work: the end of its epoch
    state     text not null default 'open' check (state in ('open', 'closed', 'parked')),
    places    smallint not null,                   -- owners wanted now,
    role      text not null default 'answer',      -- and as what
    asked     smallint not null default 0,         -- assignments there ever were
    failed    smallint not null default 0,         -- of those, declined or lapsed
    drawn     text,                                -- why it is audited, or why not; null: not decided yet,
    to_audit  boolean,                             -- whether it is,
    drawn_in  integer,                             -- the epoch whose seed said so,
    drawn_at  integer,                             -- and with which chance, ppm
    audit     bytea,                               -- what auditors are asked
    again     boolean not null default false,      -- an owner behind it was suspended: judge again
    verdict   bigint,                              -- the last one,
    stands    bigint,                              -- and the one whose belief stands: a later equal one changes no rows
    believed  timestamptz,                         -- since when; null where it believes nothing
    told      boolean not null default false,      -- its plan knows the verdict
    published boolean not null default false,
    settled   boolean not null default true,       -- false from a verdict until its money moved
    wanted    timestamptz not null                 -- since when places stand open
) with (fillfactor = 50);                          -- its next form finds room beside it: half the log
create index task_ready on task (kind, rank, id) where places > 0 and state = 'open' and pinned is null;
create index task_pinned on task (pinned) where places > 0 and state = 'open' and pinned is not null;
create index task_full on task (id) where places = 0 and state = 'open';
create index task_waiting on task (wanted) where places > 0 and asked > 0 and state = 'open';
create index task_failed on task (id) where failed >= 20 and places > 0 and state = 'open' and pinned is null;
create index task_step on task (step, state);
create index task_untold on task (step) where state = 'closed' and not told;
create index task_unpublished on task (step) where state = 'closed' and not published;
create index task_unsettled on task (id) where not settled;

create table assignment (
    id          bigint generated always as identity primary key,
    task        bigint not null,
    owner       text not null,
    node        text not null,
    role        text not null,
    state       text not null,
    price       bigint not null,                   -- pinned at the offer, as are
    quality     integer not null,                  -- the share of it that its owner is paid
    rate        integer not null,                  -- and of his results that are audited, ppm
    units       integer not null,
    network     text not null,                     -- that its node asked from, "" where that does not count
    epoch       integer not null,                  -- in which it was offered,
    waited      integer not null,                  -- and how long the task had waited, ms
    offered     timestamptz not null,
    offered_in  bigint not null,                   -- serial of the exchange that brought it
    lease_until timestamptz not null,
    envelope    text,                              -- the result: an envelope
    place       smallint,                          -- and its index there
    returned    timestamptz,
    challenge_at timestamptz,                      -- when it may next be due a challenge
    held        integer not null default 0,        -- units that hold,
    checked     integer not null default 0,        -- units somebody looked at,
    faults      integer not null default 0,        -- and how many were wrong
    trusted     boolean not null default true,     -- its owner, when it was judged: else what holds of it is not paid
    clean_then  integer,                           -- his clean audits when it was first judged
    why         text not null default ''
) with (fillfactor = 50);
create unique index assignment_one_try on assignment (  -- what lapsed or was declined stands in nobody's way
    task, owner, (case when state in ('declined', 'lapsed') then id else 0 end));
create index assignment_lease on assignment (lease_until) where state = 'offered';
create index assignment_challenge on assignment (challenge_at) where state = 'offered' and challenge_at is not null;
create index assignment_node on assignment (node, state);

create table earning (
    id         bigint generated always as identity primary key,
    assignment bigint not null,
    campaign   bigint not null,
    owner      text not null,
    amount     bigint not null check (amount >= 0),
    state      text not null,
    release_at timestamptz,
    fined      bigint not null default 0,          -- of what became available: taken for fines,
    kept       bigint not null default 0,          -- and kept in the bond
    freed      bigint,                             -- when, in the order of verdicts
    reason     text not null default '',
    at         timestamptz not null
);
create unique index earning_paid_once on earning (assignment, (case when state = 'void' then id else 0 end));
create index earning_release on earning (release_at) where state = 'pending';
create index earning_owner on earning (owner, id);
create index earning_campaign on earning (campaign) where state in ('reserved', 'pending');

create table verdict (                             -- a log: judged again is one more
    id       bigint generated always as identity primary key,
    task     bigint not null references task,
    epoch    integer not null,
    at       timestamptz not null,
    believed bytea not null,
    reason   text not null,
    result   text,                                 -- the first accepted result: what its rows name
    body     bytea not null                        -- the case as judged, findings, reason: what a stranger recomputes
);
create index verdict_epoch on verdict (epoch, id);
create index verdict_task on verdict (task);

create table conduct (                             -- of an owner in a kind of work: core/conduct.py
    owner     text not null,
    kind      text not null,
    role      text not null,                       -- as who answers or as who audits
    state     text not null check (state in ('probation', 'standing', 'suspended')),
    held      bigint not null,                     -- observations that held and fell, ppm
    fell      bigint not null,
    audits    integer not null,
    clean     integer not null,
    checked   integer not null,                    -- units
    faults    integer not null,
    recent    jsonb not null,
    bond      bigint not null check (bond >= 0),
    owed      bigint not null check (owed >= 0),   -- fines that are not paid yet
    suspended timestamptz,
    then_checked integer not null default 0,       -- when it was suspended: judged again without trust, it counts on
    then_faults  integer not null default 0,
    primary key (owner, kind, role)
);
create index conduct_suspended on conduct (owner) where suspended is not null;

create table ended (                               -- conduct that ended, by a suspension or by leaving: he is a newcomer
    number   bigint primary key,                   -- in the order of verdicts
    epoch    integer not null,
    owner    text not null,
    kind     text not null,
    role     text not null,
    lost     bigint not null,                      -- of the bond,
    returned bigint not null,                      -- and what came back
    at       timestamptz not null
);

create table leaving (                             -- owners who are offered nothing more, until they join again
    owner text primary key,
    asked timestamptz not null
);

create table tally (                               -- what a node did in a step, counted with each verdict and each payment:
    step      bigint not null,                     -- pages read this, however many tries there were
    node      text not null,
    results   bigint not null,                     -- that have a verdict,
    held      bigint not null,                     -- units of these that hold,
    checked   bigint not null,                     -- that somebody looked at,
    faults    bigint not null,                     -- and that were wrong
    pending   bigint not null,
    available bigint not null,                     -- free, or kept in the bond
    fined     bigint not null,
    primary key (step, node)
);
create index tally_node on tally (node);

create table challenge (
    id         bigint generated always as identity primary key,
    assignment bigint not null references assignment,
    node       text not null,
    blob       text not null,
    start      bigint not null,
    length     integer not null,
    nonce      bytea not null,
    expected   text not null,
    asked      timestamptz not null,
    due        timestamptz not null,
    answer     text,
    answered   timestamptz,
    envelope   text                                -- that the answer was signed in
);
create index challenge_waiting on challenge (node) where answer is null;
create index challenge_assignment on challenge (assignment);

create table blob (                                -- who may read what: a campaign's blobs are its own
    campaign   bigint not null,
    id         text not null,
    bytes      bigint not null,
    assignment bigint,                             -- whose token brought it
    at         timestamptz not null,
    primary key (campaign, id)
);
create index blob_assignment on blob (assignment) where assignment is not null;

create table version (
    name     text not null,
    number   integer not null,
    campaign bigint not null references campaign,
    manifest bytea not null,                       -- signed by the network
    overturned bigint not null,                    -- the campaign's, when it was made
    rows     bigint not null,
    at       timestamptz not null,
    primary key (name, number)
);

create table epoch (
    number integer primary key,
    seed   bytea not null,                         -- secret until it is closed
    opened timestamptz not null,
    closes timestamptz not null,
    closing boolean not null default false,        -- no more verdicts: what was judged is being settled
    protocol bytea not null,                       -- its parameters
    closed timestamptz,
    head   bytea,                                  -- signed header of its bundle,
    bundle text                                    -- and the bundle's blob
);
create unique index epoch_running on epoch ((true)) where closed is null;

create table account (
    name    text primary key,
    balance bigint not null,
    check (balance >= 0 or name = 'outside')
);
insert into account values ('outside', 0);

create table transfer (
    id      bigint generated always as identity primary key,
    event   text not null,
    about   text not null,
    entries jsonb not null,
    at      timestamptz not null,
    batch   bigint,
    unique (event, about)
);
create index transfer_unlinked on transfer (id) where batch is null;

create table batch (                               -- hash links over transfers, in the order they were settled
    id     bigint generated always as identity primary key,
    epoch  integer not null,
    before text not null,
    hash   text not null unique,
    at     timestamptz not null
);

create table token (
    hash    text primary key,                      -- of the token; the token itself is nowhere
    owner   text not null,
    name    text not null,
    scopes  text[] not null,
    made    timestamptz not null
);

create table event (                               -- what an operator or a page tells: starts, crashes survived, suspensions
    id       bigint generated always as identity primary key,
    at       timestamptz not null,
    campaign bigint,
    tone     text not null check (tone in ('good', 'warn', 'bad', 'plain')),
    title    text not null,
    why      text not null default ''
);

-- Read by pages only.
create index assignment_left on assignment (task) where state in ('declined', 'lapsed');
create index assignment_wrong on assignment (task) where state = 'rejected' or faults > 0;
create index version_campaign on version (campaign, number);
