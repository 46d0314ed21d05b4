/* SPDX-License-Identifier: Apache-2.0 */
/* The session of a client, by scripts: sessions, refusals, requests, uploads, several endpoints. */
#include "tests/unit/test_client_script.h"

static const row sessions[] = {
    {"HELLO at once, and nothing else before WELCOME", "ask t:0", "HELLO"},
    {"a request waits for the session", "ask t:0 welcome:7 cluster:1", "HELLO up ASK1 end1=ok"},
    {"requests are said in their order", "ask call read t:0 welcome:7",
     "HELLO up ASK1 CALL2 READ3"},
    {"HELLO again every heartbeat", "t:650", "HELLO HELLO HELLO HELLO"},
    {"heartbeats when there is nothing to say", "t:0 welcome:7 t:500",
     "HELLO up HEARTBEAT HEARTBEAT"},
    {"none where something was said", "t:0 welcome:7 t:150 ask t:150", "HELLO up ASK1"},
    {"a second WELCOME is no news", "t:0 ask welcome:7 welcome:7", "HELLO up ASK1"},
    {"a heartbeat finds the link full", "t:0 welcome:7 full t:300 free t:200",
     "HELLO up HEARTBEAT"},
    {"silence", "t:0 welcome:7 t:801",
     "HELLO up HEARTBEAT HEARTBEAT HEARTBEAT HEARTBEAT down HELLO"},
    {"no silence where it speaks", "t:0 welcome:7 full t:500 alive t:500 alive t:500", "HELLO up"},
    {"this process stood still", "t:0 welcome:7 jump:60000 t:100", "HELLO up HEARTBEAT"},
    {"it is looked for without limit", "t:0 welcome:7 full t:900 t:9000 free t:200 ask welcome:7",
     "HELLO up down HELLO up ASK1"},
    {"asked who, same coordinator: the same requests, no news",
     "t:0 ask welcome:7 who welcome:7 cluster:1", "HELLO up ASK1 HELLO ASK1 end1=ok"},
    {"WELCOME for a HELLO from before it was silent",
     "t:0 welcome:7:1 array t:801 welcome:7:1 refused:1:unknown_handler welcome:7:2",
     "HELLO up OPEN1 HEARTBEAT HEARTBEAT HEARTBEAT HEARTBEAT down HELLO end1=unknown_handler up"},
    {"asked who again before WELCOME", "t:0 welcome:7 who who who welcome:7", "HELLO up HELLO"},
    {"asked who, and then silence", "t:0 welcome:7 who t:1000 welcome:7",
     "HELLO up HELLO HELLO HELLO HELLO HELLO HELLO down up"},
    {"another coordinator is news", "t:0 welcome:7 who welcome:8", "HELLO up HELLO up"},
    {"a WELCOME of another coordinator, unasked", "t:0 ask welcome:7 welcome:8",
     "HELLO up ASK1 up ASK1"},
    {"answers are taken without a session too", "t:0 ask welcome:7 who cluster:1",
     "HELLO up ASK1 HELLO end1=ok"},
    {"HELLO as soon as the link is connected", "full t:0 free t:10 room room welcome:7",
     "HELLO up"},
    {"a coordinator without heartbeat and lease", "beat:0:0 t:0 welcome:7 t:30",
     "HELLO up HEARTBEAT HEARTBEAT down HELLO"},
    {"close", "t:0 ask call welcome:7 close", "HELLO up ASK1 CALL2 end1=closed end2=closed BYE"},
    {"close twice, and nothing after it", "t:0 close close welcome:7 ask t:9000",
     "HELLO BYE no:closed"},
};

Test(session, sessions)
{
    RUN(sessions);
}

static const row refusals[] = {
    {"no coordinator", "ask t:1000 ask",
     "HELLO HELLO HELLO HELLO HELLO HELLO end1=no_coordinator unreachable=no_coordinator "
     "no:no_coordinator"},
    {"it comes after all", "t:1050 welcome:7 ask",
     "HELLO HELLO HELLO HELLO HELLO HELLO unreachable=no_coordinator up ASK1"},
    {"more time", "timeout:400 t:400 timeout:100 ask t:100",
     "HELLO HELLO HELLO unreachable=no_coordinator end1=no_coordinator unreachable=no_coordinator"},
    {"more time than there is", "timeout:9223372036854775807 ask t:200 ask welcome:7",
     "HELLO HELLO up ASK1 ASK2"},
    {"no time at all", "timeout:0 ask t:0", "HELLO end1=no_coordinator unreachable=no_coordinator"},
    {"version", "t:0 ask refused:0:version ask welcome:7 t:9000",
     "HELLO end1=version refused=version no:version"},
    {"a name for one lease", "t:0 refused:0:name_taken t:200 refused:0:name_taken welcome:7",
     "HELLO HELLO up"},
    {"a name for longer",
     "timeout:9000 t:0 ask refused:0:name_taken t:799 refused:0:name_taken t:2 "
     "refused:0:name_taken",
     "HELLO HELLO HELLO HELLO HELLO end1=name_taken refused=name_taken"},
    {"no room, first session", "t:0 refused:0:limit", "HELLO refused=limit"},
    {"it is ending, first session", "t:0 refused:0:shutting_down", "HELLO refused=shutting_down"},
    {"no room, later", "t:0 welcome:7 ask refused:0:limit t:200 refused:0:limit t:200 welcome:7",
     "HELLO up ASK1 down HELLO HELLO up ASK1"},
    {"it is ending, later",
     "t:0 welcome:7 ask refused:0:shutting_down t:200 refused:0:shutting_down t:200 welcome:8",
     "HELLO up ASK1 down HELLO HELLO up ASK1"},
    {"it is ending, and had asked who", "t:0 welcome:7 who refused:0:shutting_down t:200 welcome:8",
     "HELLO up HELLO down HELLO up"},
    {"what we said was malformed", "t:0 welcome:7 ask refused:0:malformed",
     "HELLO up ASK1 end1=malformed refused=malformed"},
    {"one request", "t:0 welcome:7 ask call refused:1:limit", "HELLO up ASK1 CALL2 end1=limit"},
    {"one that nobody made", "t:0 welcome:7 refused:9:limit", "HELLO up"},
    {"one with a code that is none", "t:0 welcome:7 ask refused:1", "HELLO up ASK1 end1=failed"},
};

Test(session, refusals)
{
    RUN(refusals);
}

static const row requests[] = {
    {"an answer counts once", "t:0 welcome:7 ask cluster:1 cluster:1", "HELLO up ASK1 end1=ok"},
    {"not an answer to this question", "t:0 welcome:7 ask page:1", "HELLO up ASK1 end1=malformed"},
    {"each kind", "t:0 welcome:7 job read stop call jobs:1 page:2 stopping:3 reply:4",
     "HELLO up ASK1 READ2 STOP3 CALL4 end1=ok end2=ok end3=ok end4=ok"},
    {"same coordinator: a call is said again", "t:0 welcome:7 call who welcome:7",
     "HELLO up CALL1 HELLO CALL1"},
    {"another coordinator: a call is lost", "t:0 welcome:7 call ask who welcome:8",
     "HELLO up CALL1 ASK2 HELLO up end1=lost ASK2"},
    {"one that was never said is not", "t:0 call welcome:8", "HELLO up CALL1"},
    {"a new coordinator was not meant by STOP", "t:0 welcome:7 stop who welcome:8",
     "HELLO up STOP1 HELLO up end1=lost"},
    {"its job is lost with a coordinator", "t:0 welcome:7 job who welcome:8 refused:1:unknown_job",
     "HELLO up ASK1 HELLO up ASK1 end1=lost"},
    {"it never knew the job", "t:0 welcome:7 job who welcome:7 refused:1:unknown_job",
     "HELLO up ASK1 HELLO ASK1 end1=unknown_job"},
    {"an array may be said to both", "t:0 welcome:7 array who welcome:8 opened:1",
     "HELLO up OPEN1 HELLO up OPEN1 end1=ok"},
    {"a call's time", "t:0 welcome:7 call:150 t:160 reply:1", "HELLO up CALL1(150) end1=timeout"},
    {"also without a coordinator", "t:0 call:150 t:160", "HELLO end1=timeout"},
    {"what is left of it", "t:0 call:150 t:100 welcome:7 t:10 who welcome:7",
     "HELLO up CALL1(50) HELLO CALL1(40)"},
    {"answered in time", "t:0 welcome:7 call:150 reply:1 t:190", "HELLO up CALL1(150) end1=ok"},
    {"a full link", "t:0 welcome:7 full ask t:20 free t:5", "HELLO up ASK1"},
    {"a full link keeps the order", "t:0 welcome:7 full ask free call t:5", "HELLO up ASK1 CALL2"},
    {"a full link has room", "t:0 welcome:7 full ask room free room", "HELLO up ASK1"},
    {"what cannot be said fails, later", "t:0 welcome:7 broken ask t:5", "HELLO up end1=too_large"},
    {"close from a callback", "reaction:c t:0 ask ask welcome:7 cluster:1",
     "HELLO up ASK1 ASK2 end1=ok end2=closed BYE"},
    {"close while all fail", "reaction:c t:0 ask ask refused:0:version",
     "HELLO end1=version end2=closed BYE"},
    {"close while one is lost", "t:0 welcome:7 reaction:c call call who welcome:8",
     "HELLO up CALL1 CALL2 HELLO up end1=lost end2=closed BYE"},
    {"ask from a callback", "reaction:a t:0 ask welcome:7 cluster:1", "HELLO up ASK1 end1=ok ASK2"},
    {"ask from a callback while all fail", "reaction:a ask refused:0:version",
     "end1=version no:version refused=version"},
    {"the same again from its callback", "reaction:r t:0 ask welcome:7 cluster:1 cluster:2",
     "HELLO up ASK1 end1=ok ASK2 end1=ok"},
};

Test(session, requests)
{
    RUN(requests);
}

// The window is 600 KiB: two chunks of one task of 250 KiB, the third waits. Request 1 is the
// upload.
static const row uploads[] = {
    {"a small one", "t:0 welcome:7 upload add:3:10 commit opened:1:0 ack:1:0 committed:1",
     "HELLO up OPEN1 CHUNK1.0(3) COMMIT1(1,3) end1=ok"},
    {"committed after it was opened", "t:0 welcome:7 upload opened:1:0 add:3:10 commit committed:1",
     "HELLO up OPEN1 CHUNK1.0(3) COMMIT1(1,3) end1=ok"},
    {"filled before there is a session", "t:0 upload add:1001:10 commit welcome:7 opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1000) CHUNK1.1(1) COMMIT1(2,1001)"},
    {"chunks go as they are full", "t:0 welcome:7 upload opened:1:0 add:1500:10",
     "HELLO up OPEN1 CHUNK1.0(1000)"},
    {"window", "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:0 ack:1:1",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1"},
    {"adding on after there was room",
     "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:1 add:9:256000",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1 CHUNK1.3(1) again"},
    {"the same coordinator knows where to go on",
     "t:0 welcome:7 upload opened:1:0 add:3:256000 commit who welcome:7 opened:1:1",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) HELLO OPEN1 CHUNK1.1(1) CHUNK1.2(1) COMMIT1(3,3)"},
    {"it has all, and the commit",
     "t:0 welcome:7 upload add:1:10 commit opened:1:0 who welcome:7 opened:1:1 committed:1",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) HELLO OPEN1 COMMIT1(1,1) end1=ok"},
    {"ACKs of the session before",
     "t:0 welcome:7 upload add:1:10 commit opened:1:0 who committed:1 ack:1:0",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) HELLO end1=ok"},
    {"a late ACK of what is not said again yet",
     "t:0 welcome:7 upload opened:1:0 add:2:256000 commit who welcome:7 full opened:1:0 ack:1:1 "
     "free t:5",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) COMMIT1(2,2) HELLO OPEN1 COMMIT1(2,2)"},
    {"it has forgotten what it acknowledged",
     "t:0 welcome:7 upload opened:1:0 add:9:256000 ack:1:0 who welcome:7 opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) again CHUNK1.2(1) room1 HELLO OPEN1 end1=lost"},
    {"another coordinator: what was acknowledged is lost",
     "t:0 welcome:7 upload opened:1:0 add:1:10 seal ack:1:0 who welcome:8",
     "HELLO up OPEN1 CHUNK1.0(1) HELLO up end1=lost"},
    {"another coordinator: nothing was, all is said again",
     "t:0 welcome:7 upload opened:1:0 add:1:10 seal who welcome:8 opened:1:0 ack:1:0 commit "
     "committed:1",
     "HELLO up OPEN1 CHUNK1.0(1) HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) end1=ok"},
    {"an ACK of what was never said", "t:0 welcome:7 upload opened:1:0 ack:1:0",
     "HELLO up OPEN1 end1=malformed"},
    {"an OPEN acknowledged beyond the end", "t:0 welcome:7 upload opened:1:5",
     "HELLO up OPEN1 end1=malformed"},
    {"a commit acknowledged before it was said", "t:0 welcome:7 upload opened:1:0 committed:1",
     "HELLO up OPEN1"},
    {"OPEN acknowledged twice", "t:0 welcome:7 upload opened:1:0 add:1:10 seal opened:1:0",
     "HELLO up OPEN1 CHUNK1.0(1)"},
    {"a chunk is refused",
     "t:0 welcome:7 upload opened:1:0 add:1:10 commit refused:1:limit refused:1:wrong_state",
     "HELLO up OPEN1 CHUNK1.0(1) COMMIT1(1,1) end1=limit"},
    {"a full link in the middle",
     "t:0 welcome:7 upload opened:1:0 full add:2:256000 commit free t:5",
     "HELLO up OPEN1 CHUNK1.0(1) CHUNK1.1(1) COMMIT1(2,2)"},
    {"dropped", "t:0 welcome:7 upload opened:1:0 add:1:10 drop t:100", "HELLO up OPEN1 DROP"},
    {"dropped while the link is full",
     "t:0 welcome:7 upload opened:1:0 add:1:10 full drop free room", "HELLO up OPEN1 DROP"},
    {"dropped between two sessions", "t:0 welcome:7 upload opened:1:0 who drop welcome:7",
     "HELLO up OPEN1 HELLO DROP"},
    {"dropped before it was said", "t:0 upload drop welcome:7", "HELLO up"},
    {"dropped while it waits to speak", "t:0 welcome:7 full upload drop free t:10", "HELLO up"},
    {"dropped from the callback of another", "t:0 upload reaction:d ask welcome:7 cluster:2",
     "HELLO up OPEN1 ASK2 end2=ok DROP"},
    {"closed", "t:0 welcome:7 upload opened:1:0 add:1:10 close", "HELLO up OPEN1 end1=closed BYE"},
};

Test(session, uploads)
{
    RUN(uploads);
}

Test(session, for_ever)
{
    world *w = calloc(1, sizeof *w);

    run_script(w, "ask t:20000 welcome:7", -1);
    cr_assert_str_eq(w->log + strlen(w->log) - 7, "up ASK1", "%s", w->log + strlen(w->log) - 20);
    free(w);
}

// One of two endpoints after the other.
static const row places[] = {
    {"nobody listens at the first", "timeout:9000 full t:399 ask t:1 free room welcome:7",
     "next HELLO up ASK1"},
    {"it does not answer", "timeout:9000 t:799 t:1 ask welcome:7",
     "HELLO HELLO HELLO HELLO next HELLO up ASK1"},
    {"nobody listens at either", "full t:1000 ask",
     "next next unreachable=no_coordinator no:no_coordinator"},
    {"it falls silent", "t:0 welcome:7 ask t:801 welcome:8",
     "HELLO up ASK1 HEARTBEAT HEARTBEAT HEARTBEAT HEARTBEAT down next HELLO up ASK1"},
    {"it ends", "t:0 welcome:7 refused:0:shutting_down t:200 welcome:8",
     "HELLO up down next HELLO up"},
    {"it is ending when it is found", "t:0 refused:0:shutting_down t:200 welcome:8",
     "HELLO next HELLO up"},
    {"no room is another thing", "t:0 refused:0:limit", "HELLO refused=limit"},
    {"asked who, it is with the same", "t:0 welcome:7 ask who:7 welcome:7",
     "HELLO up ASK1 HELLO ASK1"},
    {"a successor at the same place", "t:0 welcome:7 ask who:8 welcome:8",
     "HELLO up ASK1 HELLO up ASK1"},
    {"what was deposed is not gone back to",
     "t:0 welcome:8 t:801 ask welcome:7 t:200 who:7 t:200 welcome:8",
     "HELLO up HEARTBEAT HEARTBEAT HEARTBEAT HEARTBEAT down next HELLO next HELLO next HELLO up "
     "ASK1"},
    {"a call is not said to what was deposed", "t:0 welcome:8 call who:7 welcome:7 t:200 welcome:8",
     "HELLO up CALL1 down next HELLO up CALL1"},
    {"this process stood still", "t:0 welcome:7 jump:60000 t:100", "HELLO up HEARTBEAT"},
};

Test(session, places)
{
    run_rows(places, sizeof places / sizeof *places, 2);
}
