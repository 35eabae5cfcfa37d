-- The frontier: every URL that a crawl knows, and where it stands.

create schema kind_crawl;

create table kind_crawl.crawls (
    step bigint primary key,
    known bigint not null default 0,  -- rows in urls
    asked bigint not null default 0   -- of them open or done: they count against `max`
);

create table kind_crawl.urls (
    step bigint not null,
    url text not null,
    host text not null,
    seed boolean not null,
    state text not null default 'waiting'
        check (state in ('waiting', 'open', 'done', 'refused', 'lost')),
    tries smallint not null default 0,
    seen bigint generated always as identity,  -- the order in which they were found: breadth first
    primary key (step, url)
);

create index urls_waiting on kind_crawl.urls (step, host, seen) where state = 'waiting';
create index urls_open on kind_crawl.urls (step, host) where state = 'open';
create index urls_seeds on kind_crawl.urls (step, host) where seed;
