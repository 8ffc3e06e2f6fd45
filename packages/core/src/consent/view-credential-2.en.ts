/**
 * View `credential/2` in English, for what several owners sign: the full text with a placeholder for every member, then
 * every word that may stand
 * above it. `view.d` is the SHA-256 of the UTF-8 octets of this constant, so whatever an owner reads as "what you
 * sign" is covered by his signature. Never edit it: another wording is another view with another digest.
 */
export const VIEW_CREDENTIAL_2_EN: string = `credential/2 en

[text]
consent:    {typ} {kind} {decision}
number:     {jti}
server:     {aud}
domain:     {td}
made:       {iat}
sign by:    {exp}
nonce:      {nonce}
owner:      {owner.id}
owner key:  {owner.jkt}
agent:      {agent.id}
agent key:  {agent.jkt}
host:       {agent.host}
measured:   {agent.meas}
request:    {req}
use:        {grant.use}
from:       {grant.nbf}
until:      {grant.exp}
each lasts: {grant.max_ttl} s
in all:     {grant.max_issue}
at once:    {grant.max_live}
new keys:   {grant.rekey}
may do:     {grant.ceiling}
signatures: {grant.parties.m}
owners:     {grant.parties.owners}
digits:     {view.match}
view:       {view.tpl} {view.loc} {view.d}

[words]
opening | WHAT YOU SIGN. Each sentence is made from the signed text below.
closing | IN FULL
closing.digest | digest {cs}
title.approve | You agree that the agent {name} acts under its own name.
title.deny | You refuse the agent {name} a credential.

who | Who
who.id | The agent is {id}.
who.host | It runs only on the host {host}.
who.any_host | It may run on any host of {td}.
who.key | Its installation key is {jkt}.
who.measured | Its {what} must be exactly {d}.
who.change | If one of these changes, you are asked again.
measured.binary | program file
measured.script | main script
measured.manifest | list of files
measured.image | container image
measured.model | model
measured.prompt | prompt
measured.tools | tool list

long | How long
long.span | From {nbf} until {exp} ({length}).
long.standing | Inside this time it renews itself without asking you.
long.single | It gets one credential, within one hour; then this approval is used up.
long.each | Each credential lasts at most {max_ttl}.
long.count.one | At most one credential in all, and at most {max_live} at the same time.
long.count.many | At most {max_issue} credentials in all, and at most {max_live} at the same time.
long.endorsed | Each has a key of its own, signed for by the installation key.

may | What it can do
may.both | At {locations} it may use {actions}{calls}.
may.any_action | At {locations} it may use anything{calls}.
may.any_place | At any place it may use {actions}{calls}.
may.anything | At any place it may use anything{calls}.
may.calls.one | , at most once
may.calls.many | , at most {max_calls} times
may.read_only | These only read.
may.reversible_write | These can be undone.
may.no_limit | It names no actions and no places. The server's entry says where the agent may show the credential; each service there decides what it may do.

undo | How to undo
undo.stop | You can stop it at any moment, and so can each of the other owners: in the console, with a printed stop code, or with the command “countersign halt”. What it did before stays done.
undo.late | A service that looks only at the credential learns of a stop after at most {max_ttl}.

sign | Your signature
sign.as | You sign as owner {owner} with the key {jkt}, for the server {aud} only, in answer to the request {req}.
sign.some | It takes {m} of these {n} owners: {owners}. Until so many have signed, nothing is given; if one says no, nothing is.
sign.all | It takes all of these {n} owners: {owners}. Until all have signed, nothing is given; if one says no, nothing is.
sign.match | You typed the two digits from the agent’s terminal: {match}.
sign.once | This text counts once, and only if signed by {exp}.

mark.any_host | Any host
mark.any_action | Any action
mark.any_place | Any place
mark.no_limit | No limit in this text
mark.irreversible_action | Cannot be undone
mark.external_commitment | Binds you to others
mark.privileged_administration | Changes who may do what
mark.unknown | Not known whether it can be undone
mark.two | {a}; {b}
mark.number | {title}, {k} of {n}

cut | {value} … in full below
list.two | {a} and {b}
list.more | {a}, {b}
time | {hour}:{minute} UTC
date | {day} {month} {year}, {time}
month.1 | January
month.2 | February
month.3 | March
month.4 | April
month.5 | May
month.6 | June
month.7 | July
month.8 | August
month.9 | September
month.10 | October
month.11 | November
month.12 | December
day.one | {n} day
day.many | {n} days
hour.one | {n} hour
hour.many | {n} hours
minute.one | {n} minute
minute.many | {n} minutes
second.one | {n} second
second.many | {n} seconds
`;
