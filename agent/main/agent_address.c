/* Where others reach this machine: as configured, or as it listens, or what its interfaces say. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/main/agent_state.h"

/* The better of two interface addresses: outside before loopback, IPv4 before IPv6. */
static int rank_of(const struct ifaddrs *interface)
{
    if (interface->ifa_addr == NULL || (interface->ifa_flags & IFF_UP) == 0) {
        return 0;
    }
    bool outside = (interface->ifa_flags & IFF_LOOPBACK) == 0;
    if (interface->ifa_addr->sa_family == AF_INET) {
        return outside ? 4 : 2;
    }
    const struct sockaddr_in6 *six = (const void *)interface->ifa_addr;
    if (interface->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr)) {
        return outside ? 3 : 1;
    }
    return 0;
}

static bool best_interface(char *host, size_t size)
{
    struct ifaddrs *all = NULL;
    const struct ifaddrs *best = NULL;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        if (rank_of(at) > (best == NULL ? 0 : rank_of(best))) {
            best = at;
        }
    }
    bool found = best != NULL;
    if (found) {
        bool four = best->ifa_addr->sa_family == AF_INET;
        char text[INET6_ADDRSTRLEN];
        socklen_t n = four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        found = getnameinfo(best->ifa_addr, n, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0;
        snprintf(host, size, four ? "%s" : "[%s]", text);
    }
    freeifaddrs(all);
    return found;
}

gp_error_t agent_find_address(agent_t *agent, gp_fail_t *fail)
{
    const char *bound = gp_net_address(agent->net);
    const char *port = strrchr(bound, ':');
    assert(port != NULL);
    bool any = strncmp(bound, "tcp://0.0.0.0:", 14) == 0 ||
               strncmp(bound, "tcp://[::]:", 11) == 0 || strncmp(bound, "tcp://*:", 8) == 0;
    char host[INET6_ADDRSTRLEN + 2];
    if (agent->config.agent_advertise[0] != '\0') {
        snprintf(agent->address, sizeof agent->address, "%s", agent->config.agent_advertise);
    } else if (!any) {
        snprintf(agent->address, sizeof agent->address, "%s", bound);
    } else if (best_interface(host, sizeof host)) {
        snprintf(agent->address, sizeof agent->address, "tcp://%s%s", host, port);
    } else {
        return gp_fail(fail, GP_E_ADDRESS,
                       "no interface of this machine is up: set agent.advertise in gridpeer.ini");
    }
    return GP_OK;
}
