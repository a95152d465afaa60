/*
 * Named limits: everything that a peer, a file or a user can make grow is bounded here.
 *
 * Changing a limit that is marked (wire) changes what peers accept from each other.
 */
#ifndef GP_PROTO_LIMITS_H
#define GP_PROTO_LIMITS_H

#define GP_NAME_MAX 32         /* (wire) bytes of a machine, grid or region name */
#define GP_ADDRESS_MAX 72      /* (wire) bytes of "tcp://[v6]:port" */
#define GP_MESSAGE_MAX 65536   /* (wire) bytes of one frame: header, body and signature */
#define GP_DEPTH_MAX 4         /* (wire) nesting of msgpack containers */
#define GP_CERT_MAX 512        /* (wire) bytes of a signed certificate, with its issuer's */
#define GP_TOKEN_MAX 1024      /* (wire) bytes of an invitation before base64url */
#define GP_TOKEN_TEXT_MAX 1400 /* characters of a token as it is typed */
#define GP_TOKEN_USES_MAX 10000
#define GP_TOKEN_SEEDS_MAX 4 /* (wire) addresses in a token */

#define GP_MEMBERS_MAX 64   /* (wire) members of a group, living and remembered */
#define GP_VOTERS_MAX 5     /* (wire) voters named in a roster */
#define GP_SLOW_MAX 8       /* so many times as slow as a sub-Grid a group above may be */
#define GP_OBSERVERS_MAX 3  /* (wire) observers named beside a verdict */
#define GP_VOTE_MAX 320     /* (wire) bytes of one signed vote, kept as evidence */
#define GP_RELEASE_MAX 256  /* (wire) bytes of a leader's signed HANDOVER, shown by its successor */
#define GP_TERM_MAX (UINT64_C(1) << 48) /* a term above this is a lie: no group votes so often */
#define GP_TERM_JUMP (UINT64_C(1) << 20) /* and so is one that is so far ahead of what is known */
#define GP_COORDINATE_MAX 11 /* (wire) bytes of a machine's place in the network */
#define GP_REGISTER_MAX 1024 /* (wire) bytes of the register's value beside the roster */

#define GP_QUERY_MAX 1024      /* (wire) bytes of a query */
#define GP_QUERY_DEPTH_MAX 32  /* nesting of a query's parentheses */
#define GP_QUERY_TERMS_MAX 256 /* comparisons in one query */
#define GP_QUERY_VALUES_MAX 512 /* values in one query, those in {...} too */
#define GP_QUERY_WORDS_MAX 64   /* labels and words of "has" in one query: each costs a walk, too */
#define GP_QUERY_GLOBS_MAX 16  /* "like" in one query: each costs a walk through the texts */
#define GP_ATTRS_MAX 96        /* (wire) attributes of one record */
#define GP_ATTR_WORD_MAX 256   /* bytes of a textual attribute that is one word or version */
#define GP_ATTR_TEXT_MAX 2048  /* (wire) bytes of one textual attribute */
#define GP_RECORD_POOL 4096    /* bytes of all texts of one record */
#define GP_TAGS_MAX 32         /* (wire) free labels of one machine */
#define GP_HITS_MAX 64         /* (wire) machines in one answer */
#define GP_VALUES_MAX 512      /* (wire) attribute values in one answer */
#define GP_EXPLAIN_MAX 64      /* (wire) conditions counted in one explanation */
#define GP_FINDS_MAX 64        /* questions that one machine has open */
#define GP_SUMMARY_MAX 256     /* (wire) bytes of what one sub-Grid, or a region, can offer */

#define GP_PLACE_NAMES_MAX 8192    /* (wire) bytes of the digest of a group's machine names */
#define GP_ROUTE_HOPS_MAX 3        /* (wire) from the own super-peer to the one that answers */
#define GP_ROUTE_TEXT_MAX 8192     /* bytes of attribute texts in an answer that is carried */
#define GP_ROUTE_QUESTION_MAX 3584 /* (wire) bytes of a signed question with its certificate */
#define GP_ROUTE_CLAIM_MAX 32768   /* (wire) bytes of a signed answer with its certificate */
#define GP_ROUTE_ABSENT_MAX 16     /* (wire) absent parts that an answer names */
#define GP_ROUTES_MAX 64           /* questions that one machine carries on at once */
#define GP_ROUTE_SERVES_MAX 32     /* questions of others that one sub-Grid answers at once */
#define GP_ROUTE_ASKS_MAX 16       /* own questions that go beyond the sub-Grid at once */
#define GP_ROUTE_PARALLEL_MAX 4    /* parts that a question asks at once */

#define GP_ARGS_MAX 128          /* (wire) words of a command */
#define GP_ARGS_BYTES_MAX 16384  /* (wire) bytes of a command, its words together */
#define GP_ENV_BYTES_MAX 8192    /* (wire) bytes of an environment */
#define GP_JOBS_MAX 256          /* jobs that one home or one executor holds open */
#define GP_OUTPUT_CHUNK_MAX 16384 /* (wire) bytes of program output in one message */
#define GP_OUTPUT_WINDOW 131072  /* bytes of output in flight before credit is needed */
#define GP_DETAIL_MAX 1024         /* bytes of what an error adds to its text */
#define GP_REASON_TEXT_MAX 256   /* (wire) bytes of a reason in words */

#define GP_HTTP_CONNECTIONS_MAX 64   /* connections that the API holds open */
#define GP_HTTP_HEAD_MAX 8192        /* bytes of a request line and its headers */
#define GP_HTTP_BODY_MAX 262144      /* bytes of a request's body */
#define GP_HTTP_PARAMS_MAX 4         /* variable segments of one path */
#define GP_HTTP_LINE_MAX 65536       /* bytes of one line of a stream */
#define GP_HTTP_STREAM_MARK 65536    /* unsent bytes of a stream at which its producer waits */
#define GP_HTTP_STREAM_MAX 1048576   /* unsent bytes of a stream at which its client is dropped */
#define GP_HTTP_REPLY_MAX 16777216   /* bytes of a document that a client accepts */
#define GP_HTTP_IDLE_MS 30000        /* silence after which an idle connection is closed */

#define GP_CLI_OPTIONS_MAX 64  /* options given on one command line */
#define GP_CLI_WORDS_MAX 80    /* operands given on one command line */
#define GP_CLI_NODES_MAX 1024  /* agents that may live in one state directory */
#define GP_CLI_COLUMNS_MAX 64  /* columns of one table */
#define GP_SIM_AGENTS_MAX 1024 /* real agents of one sim */
#define GP_SIM_NODES_MAX 100000 /* nodes of the simulator */

#define GP_ACTIONS_MAX 2048     /* actions of one step of a whole peer */
#define GP_ACTIONS_SOFT 256     /* of them; then what can wait is left for the next step */
#define GP_ARENA_BYTES 1310720  /* bytes of messages produced by one step of a whole peer */
#define GP_ARENA_SOFT 131072    /* of them; then what can wait is left for the next step */
#define GP_PEER_QUEUE_MAX 256   /* frames of one class that wait for one peer in the transport */
#define GP_PEER_QUEUE_BYTES 1048576 /* their bytes */
#define GP_NET_QUEUE_BYTES 16777216 /* bytes of frames that wait for all peers together */
#define GP_NET_PEERS_MAX 1024       /* machines and invitations that the transport knows */
#define GP_NET_LINKS_MAX 256        /* outgoing connections at once */
#define GP_NET_GUESTS_MAX 64        /* connections of one invitation at the same time */
#define GP_NET_CONNECTIONS_MAX 4    /* incoming connections of one machine: the newest count */
#define GP_NET_DIALS_MAX 64         /* dials at once */
#define GP_NET_VISITORS_MAX 256     /* of its peers, machines that are in none of its groups */
#define GP_NET_VISITOR_IDLE_MS 600000 /* without a frame, after which a visitor is forgotten */
#define GP_NET_VISITOR_REST_MS 60000  /* and after which it gives way when there is no place */
#define GP_NET_STRANGERS_MAX 256    /* unknown keys at once that have still to say who they are */
#define GP_NET_GREETING_MS 2000     /* so long a connection may be up before its first frame */
#define GP_NET_HELD_MAX 64          /* handshakes of unknown keys that wait for their admission */
#define GP_NET_ACCEPT_BURST 1024    /* incoming connections at once */
#define GP_NET_ACCEPT_RATE 512      /* and a second, over time */
#define GP_NET_FD_RESERVE 64        /* file descriptors that strangers cannot use up */
#define GP_REPLAY_WINDOW 1024   /* messages of one sender that may arrive out of order */

#define GP_STATE_PATH_MAX 256     /* bytes of the path of a state directory */
#define GP_STATE_NODES_MAX 1024   /* machines set up under one directory */
#define GP_CONFIG_BYTES_MAX 65536 /* bytes of a configuration file */
#define GP_CONFIG_LINE_MAX 190    /* bytes of one line of it */
#define GP_STORE_QUEUE_MAX 1024   /* writes that wait for the disk */
#define GP_STORE_QUEUE_BYTES 8388608 /* bytes of them together */
#define GP_LOG_TEXT_MAX 256       /* bytes of one text of an entry in the activity log */
#define GP_LOG_ENTRIES_MAX 100000 /* entries that the activity log may be told to keep */
#define GP_INVITATIONS_MAX 256    /* invitations that one machine has open: far fewer than peers */
#define GP_ADMISSIONS_MAX 65536   /* machines that one machine remembers to have admitted */
#define GP_JOINS_MAX 64           /* machines that ask one machine for admission at once */
#define GP_GUEST_ASKS_BURST 256   /* asks of one invitation's guests at once */
#define GP_GUEST_ASKS_RATE 128    /* and a second, over time */
#define GP_RING_MEBIBYTES_MAX 256   /* of a recording */
#define GP_RING_BYTES_MIN 1048576   /* of a recording: each of its parts holds any record */
#define GP_RING_RECORD_MAX 147456   /* bytes of one record of it: a message with its evidence */
#define GP_STORY_BYTES_MAX 67108864 /* bytes of a story that a replay is compared with */
#define GP_REFUSALS_LOGGED_MAX 10 /* refused asks that the activity log tells of in a minute */

#endif
