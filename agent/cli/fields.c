/*
 * What --fields may choose: the fields of each command's document, in one table, so that a list of
 * them and a wrong name are answered before the command does anything.
 */
#include "agent/cli/command.h"

#include <string.h>

#include "discovery/attributes.h"

#define LIST_MAX 512 /* bytes of the names that an error lists */

static const char node_fields[] = "name,pid,port,alive,state,state_dir";

static const char subgrid_fields[] = "subgrid,region,leader,members,full,own,address,leader_id";
static const char subgrid_show_fields[] =
    "subgrid,region,leader,members,full,own,address,leader_id,nodes";
static const char region_fields[] =
    "region,leader,subgrids,members,own,address,leader_id,subgrid_list";

/* A command that is not here prints no document. */
static const struct {
    const char *words;
    const char *fields;
} documents[] = {
    {"init", "name,id,grid,region,address,state_dir,started,token,expires"},
    {"invite", "token,region,uses,expires"},
    {"join", "name,id,grid,region,address,state_dir,started"},
    {"region add", "name,id,grid,region,address,state_dir,started"},
    {"leave", "name,state,region,successor"},
    {"stop", "name,state"},
    {"status", "name,id,state,role,region,subgrid,leader,term,mandate,members,alive,stopped,"
               "missing,voters,health,why,address,uptime_ms,subgrids,regions"},
    {"node list", "name,id,state,role,region,subgrid,address,age_ms,why,score,rtt_us"},
    {"subgrid list", subgrid_fields},
    {"subgrid show", subgrid_show_fields},
    {"region list", region_fields},
    {"region show", region_fields},
    {"topology", region_fields},
    {"find", "name,id,region,subgrid,rtt_us"},
    {"find --attributes", "name,type,example,help"},
    {"run", "job,name,state,reason,code,node,incarnation,text,wall_us,cpu_us,peak_bytes"},
    {"ps", "job,name,state,reason,node,attempt,incarnation,progress,text,output,wall_us,"
           "cpu_us,peak_bytes"},
    {"cancel", "job,state,reason,code,node,text"},
    {"log", "seq,hash,at,actor,what,object,detail"},
    {"replay", "at,after_us,what,text,event,replayed"},
    {"config", "section,key,value,default,source,range,help"},
    {"sim up", node_fields},
    {"sim down", node_fields},
    {"sim status", node_fields},
    {"sim kill", node_fields},
    {"sim freeze", node_fields},
    {"sim thaw", node_fields},
    {"sim start", node_fields},
    {"sim run", "seed,nodes,groups,duration_ms,trace_hash,events,messages,bytes,faults,finds,jobs,"
                "jobs_ended,refused,agreed_ms,healed_ms,violations,wall_ms"},
};

/* Cuts a list at its commas, in place; false if there are too many names or none. */
static bool names_split(char *text, gp_cli_names_t *names)
{
    names->count = 0;
    for (char *at = text; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        if (at[0] != '\0') {
            if (names->count == GP_CLI_COLUMNS_MAX) {
                return false;
            }
            names->names[names->count++] = at;
        }
        at = comma == NULL ? NULL : comma + 1;
    }
    return names->count > 0;
}

static const char *fields_of(const gp_cli_t *cli)
{
    const char *words = cli->command->words;
    bool find = strcmp(words, "find") == 0;
    if (find && gp_cli_flag(&cli->args, "attributes")) {
        words = "find --attributes";
    }
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        if (strcmp(documents[i].words, words) == 0) {
            return documents[i].fields;
        }
    }
    return NULL;
}

bool gp_cli_fields_known(const gp_cli_t *cli, gp_cli_names_t *names)
{
    const char *fields = fields_of(cli);
    if (fields == NULL || !gp_text_copy(names->text, sizeof names->text, gp_text(fields)) ||
        !names_split(names->text, names)) {
        return false;
    }
    if (strcmp(cli->command->words, "find") == 0 && !gp_cli_flag(&cli->args, "attributes")) {
        for (uint32_t i = 1; i < GP_ATTR_COUNT && names->count < GP_CLI_COLUMNS_MAX; i++) {
            const gp_attribute_t *attribute = gp_attribute(i);
            bool own = attribute == NULL || gp_cli_names_have(names, attribute->name);
            if (!own) {
                names->names[names->count++] = attribute->name;
            }
        }
    }
    return true;
}

bool gp_cli_names_have(const gp_cli_names_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void known_print(gp_cli_t *cli, const gp_cli_names_t *known)
{
    if (cli->json) {
        json_t *document = gp_cli_document("fields", NULL);
        for (size_t i = 0; i < known->count; i++) {
            (void)json_array_append_new(json_object_get(document, "items"),
                                        json_pack("{s:s}", "field", known->names[i]));
        }
        gp_cli_json(cli, document);
        json_decref(document);
        return;
    }
    for (size_t i = 0; i < known->count; i++) {
        (void)fprintf(cli->out, "%s%s", i == 0 ? "" : ", ", known->names[i]);
    }
    (void)fputc('\n', cli->out);
}

static int field_unknown(gp_cli_t *cli, const char *name, const gp_cli_names_t *known)
{
    char list[LIST_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < known->count && used < sizeof list; i++) {
        int n =
            snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", known->names[i]);
        used += n < 0 ? 0 : (size_t)n;
    }
    const char *cut = used >= sizeof list ? "..." : "";
    const char *nearest = gp_cli_nearest(name, known->names, known->count);
    if (nearest != NULL) {
        return gp_cli_usage(cli, "no field '%s': did you mean '%s'? There are: %s%s", name, nearest,
                            list, cut);
    }
    return gp_cli_usage(cli, "no field '%s'; there are: %s%s", name, list, cut);
}

bool gp_cli_fields_read(gp_cli_t *cli, int *ret_code)
{
    static const char list[] = "?";
    gp_cli_names_t known;
    gp_cli_names_t *chosen = &cli->chosen;
    if (cli->fields == NULL) {
        return true;
    }
    *ret_code = GP_EXIT_USAGE;
    if (!gp_cli_fields_known(cli, &known)) {
        (void)gp_cli_usage(cli, "%s prints no document, so it has no fields", cli->command->words);
        return false;
    }
    if (!gp_text_copy(chosen->text, sizeof chosen->text, gp_text(cli->fields)) ||
        !names_split(chosen->text, chosen)) {
        (void)gp_cli_usage(cli, "--fields takes names with commas between them, not '%s'",
                           cli->fields);
        return false;
    }
    if (gp_cli_names_have(chosen, list)) {
        known_print(cli, &known);
        *ret_code = GP_EXIT_DONE;
        return false;
    }
    for (size_t i = 0; i < chosen->count; i++) {
        if (!gp_cli_names_have(&known, chosen->names[i])) {
            (void)field_unknown(cli, chosen->names[i], &known);
            return false;
        }
    }
    return true;
}
