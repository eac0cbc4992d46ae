#include "s3/sse_c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/parse.h"

enum {
    MD5_SIZE = 16,
    BASE64_SIZE = (SSE_C_KEY_SIZE + 2) / 3 * 4,
    FILE_SIZE_MAX = BASE64_SIZE + 2, /* and "\r\n" */
};

static int refuse(const char *path, const char *why, const char *hint, struct err *e)
{
    (void)err_set(e, ERR_CONFIG, "--sse-c-key-file '%s': %s", path, why);
    return err_hint(e, "%s", hint);
}

/* One byte more than fits tells that there are more. */
static int read_bytes(const char *path, char bytes[FILE_SIZE_MAX + 1], size_t *ret, struct err *e)
{
    autofd const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return err_set_sys(e, ERR_CONFIG, errno, "--sse-c-key-file '%s'", path);
    }
    if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return refuse(path, "is open to everybody", "run 'chmod o-rw' on it", e);
    }
    size_t size = 0;
    while (size <= FILE_SIZE_MAX) {
        const ssize_t n = read(fd, bytes + size, FILE_SIZE_MAX + 1 - size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set_sys(e, ERR_CONFIG, errno, "--sse-c-key-file '%s'", path);
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
    }
    *ret = size;
    return 0;
}

static bool take_key(const char *bytes, size_t size, uint8_t key[SSE_C_KEY_SIZE])
{
    if (size == SSE_C_KEY_SIZE) {
        memcpy(key, bytes, SSE_C_KEY_SIZE);
        return true;
    }
    const bool line_ends = size <= FILE_SIZE_MAX && size > BASE64_SIZE;
    if (line_ends &&
        (bytes[size - 1] != '\n' || (size == FILE_SIZE_MAX && bytes[size - 2] != '\r'))) {
        return false;
    }
    return (line_ends || size == BASE64_SIZE) &&
           parse_base64(bytes, BASE64_SIZE, key, SSE_C_KEY_SIZE);
}

static void encode(const uint8_t *bytes, size_t size, char *ret, size_t ret_size)
{
    const int length = EVP_EncodeBlock((unsigned char *)ret, bytes, (int)size);
    ASSERT(length > 0 && (size_t)length + 1 == ret_size); /* with its NUL */
}

int sse_c_read(const char *path, struct sse_c *ret, struct err *e)
{
    char bytes[FILE_SIZE_MAX + 1];
    uint8_t key[SSE_C_KEY_SIZE], md5[EVP_MAX_MD_SIZE];
    size_t size = 0;
    unsigned md5_size = 0;
    int result = read_bytes(path, bytes, &size, e);
    if (result == 0 && !take_key(bytes, size, key)) {
        result = refuse(path, "holds no key",
                        "it must hold 32 bytes, or the 44 characters of their base64", e);
    }
    if (result == 0 && EVP_Digest(key, sizeof(key), md5, &md5_size, EVP_md5(), NULL) != 1) {
        result = refuse(path, "S3 wants the MD5 of the key, which this machine's OpenSSL refuses",
                        "use an OpenSSL that is not restricted to FIPS", e);
    }
    if (result == 0) {
        ASSERT(md5_size == MD5_SIZE);
        encode(key, sizeof(key), ret->key, sizeof(ret->key));
        encode(md5, MD5_SIZE, ret->md5, sizeof(ret->md5));
    }
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(key, sizeof(key));
    return result;
}

void sse_c_wipe(struct sse_c *sse_c)
{
    explicit_bzero(sse_c, sizeof(*sse_c));
}

size_t sse_c_headers(const struct sse_c *sse_c, struct sigv4_pair *ret)
{
    if (sse_c->key[0] == '\0') {
        return 0;
    }
    ret[0] = (struct sigv4_pair){"x-amz-server-side-encryption-customer-algorithm", "AES256"};
    ret[1] = (struct sigv4_pair){"x-amz-server-side-encryption-customer-key", sse_c->key};
    ret[2] = (struct sigv4_pair){"x-amz-server-side-encryption-customer-key-md5", sse_c->md5};
    return SSE_C_HEADERS;
}

bool sse_c_may_go_to(const char *base)
{
    static const char PLAIN[] = "http://";
    if (strncmp(base, PLAIN, strlen(PLAIN)) != 0) {
        return true;
    }
    const char *const host = base + strlen(PLAIN);
    char address[INET_ADDRSTRLEN];
    const size_t size = strcspn(host, ":/");
    struct in_addr parsed;
    if (strncmp(host, "[::1]", 5) == 0) {
        return true;
    }
    /* Not "localhost": what a name means is for the resolver to say. */
    if (size >= sizeof(address)) {
        return false;
    }
    memcpy(address, host, size);
    address[size] = '\0';
    return inet_pton(AF_INET, address, &parsed) == 1 && ntohl(parsed.s_addr) >> 24 == 127;
}
