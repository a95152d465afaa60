/*
 * Certificates: what can be read must be well formed; nothing that the fuzzer writes may verify
 * against a root whose key it does not have.
 */
#include "proto/cert.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cert_t cert;
    gp_cert_t verified;

    if (size > 4 * GP_CERT_MAX || gp_cert_read(gp_slice(data, size), &cert) != GP_OK) {
        return 0;
    }
    FUZZ_CHECK(size <= GP_CERT_MAX);
    FUZZ_CHECK(gp_name_check(gp_text(cert.name)) == GP_OK);
    FUZZ_CHECK(gp_name_check(gp_text(cert.region)) == GP_OK);
    FUZZ_CHECK(cert.roles != 0 && (cert.roles & ~GP_ROLE_ALL) == 0);
    FUZZ_CHECK(cert.not_before_ms < cert.not_after_ms);
    /* As root the issuer that is named: then the signatures are what refuses. */
    FUZZ_CHECK(gp_cert_verify(gp_slice(data, size), &cert.issuer, cert.not_before_ms, &verified) !=
                   GP_OK ||
               memcmp(&verified.node, &cert.node, sizeof cert.node) == 0);
    return 0;
}
