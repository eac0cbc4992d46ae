/*
 * floor: the least that a restore can cost. Gets objects, decodes the snappy-java stream as it
 * arrives, writes the plain bytes; no listing, no check, no resume, no temporary name, no sync.
 * What Penates does besides is what it costs above this.
 *
 *     floor get CONNECTIONS URL-PREFIX LIST OUT    LIST: lines "key<TAB>file name"
 *     floor decode CONNECTIONS FOLDER LIST OUT     the same from files: the second step of a peer
 *
 * Keys come from ACCESS_KEY and SECRET_KEY in the environment.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_SIZE = 16, OUT_SIZE = 1 << 20, READ_SIZE = 1 << 18 };

struct stream {
    char *in; /* bytes of a block that is not whole yet */
    size_t in_size, in_room;
    char *out; /* plain bytes that wait for a large write */
    size_t out_size, out_room;
    uint64_t seen;
    int fd;
};

static FILE *list;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static const char *source_prefix, *out_folder;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void flush(struct stream *s)
{
    for (size_t done = 0; done < s->out_size;) {
        const ssize_t n = write(s->fd, s->out + done, s->out_size - done);
        if (n < 0) {
            die("write");
        }
        done += (size_t)n;
    }
    s->out_size = 0;
}

static void block(struct stream *s, const char *raw, size_t size)
{
    size_t plain;
    if (snappy_uncompressed_length(raw, size, &plain) != SNAPPY_OK) {
        die("preamble");
    }
    if (s->out_size + plain > s->out_room) {
        flush(s);
    }
    if (plain > s->out_room) {
        s->out_room = plain;
        s->out = realloc(s->out, plain);
    }
    if (snappy_uncompress(raw, size, s->out + s->out_size, &plain) != SNAPPY_OK) {
        die("block");
    }
    s->out_size += plain;
}

/* Decodes the whole blocks at the front and keeps the rest. */
static void push(struct stream *s, const char *data, size_t size)
{
    if (s->seen < HEADER_SIZE) {
        const size_t skip = size < HEADER_SIZE - s->seen ? size : (size_t)(HEADER_SIZE - s->seen);
        s->seen += skip;
        data += skip;
        size -= skip;
    }
    if (s->in_size + size > s->in_room) {
        s->in_room = (s->in_size + size) * 2;
        s->in = realloc(s->in, s->in_room);
    }
    memcpy(s->in + s->in_size, data, size);
    s->in_size += size;
    size_t at = 0;
    while (s->in_size - at >= 4) {
        const unsigned char *p = (const unsigned char *)s->in + at;
        const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (s->in_size - at - 4 < length) {
            break;
        }
        block(s, s->in + at + 4, length);
        at += 4 + length;
    }
    memmove(s->in, s->in + at, s->in_size - at);
    s->in_size -= at;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    push(ctx, data, size * count);
    return size * count;
}

/* The next line of the list: key and file name. */
static int next(char *key, char *name)
{
    char line[4096];
    pthread_mutex_lock(&list_lock);
    const int more = fgets(line, sizeof(line), list) != NULL;
    pthread_mutex_unlock(&list_lock);
    return more && sscanf(line, "%2047[^\t]\t%2047[^\n]", key, name) == 2;
}

static void begin(struct stream *s, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", out_folder, name);
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (s->fd < 0) {
        die(path);
    }
    s->seen = s->in_size = s->out_size = 0;
}

static void end(struct stream *s)
{
    flush(s);
    if (s->in_size != 0 || close(s->fd) != 0) {
        die("end of stream");
    }
}

static void *get_all(void *unused)
{
    struct stream s = {.out = malloc(OUT_SIZE), .out_room = OUT_SIZE};
    char key[2048];
    char name[2048];
    char url[4096];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(curl, CURLOPT_USERNAME, getenv("ACCESS_KEY"));
    curl_easy_setopt(curl, CURLOPT_PASSWORD, getenv("SECRET_KEY"));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &s);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 131072L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    while (next(key, name)) {
        snprintf(url, sizeof(url), "%s/%s", source_prefix, key);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        begin(&s, name);
        const CURLcode code = curl_easy_perform(curl);
        if (code != CURLE_OK) {
            fprintf(stderr, "%s: %s\n", key, curl_easy_strerror(code));
            exit(1);
        }
        end(&s);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(s.in);
    free(s.out);
    return unused;
}

static void *decode_all(void *unused)
{
    struct stream s = {.out = malloc(OUT_SIZE), .out_room = OUT_SIZE};
    char *data = malloc(READ_SIZE);
    char key[2048];
    char name[2048];
    char path[4096];
    while (next(key, name)) {
        snprintf(path, sizeof(path), "%s/%s", source_prefix, key);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            die(path);
        }
        begin(&s, name);
        ssize_t n;
        while ((n = read(fd, data, READ_SIZE)) > 0) {
            push(&s, data, (size_t)n);
        }
        if (n < 0 || close(fd) != 0) {
            die(path);
        }
        end(&s);
    }
    free(s.in);
    free(s.out);
    free(data);
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: floor get|decode CONNECTIONS PREFIX LIST OUT\n");
        return 64;
    }
    source_prefix = argv[3];
    out_folder = argv[5];
    list = fopen(argv[4], "re");
    if (list == NULL) {
        die(argv[4]);
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int threads = 0;
    if (sscanf(argv[2], "%d", &threads) != 1 || threads < 1) {
        die(argv[2]);
    }
    pthread_t *ids = calloc((size_t)threads, sizeof(*ids));
    for (int i = 0; i < threads; i++) {
        pthread_create(&ids[i], NULL, strcmp(argv[1], "get") == 0 ? get_all : decode_all, NULL);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    free(ids);
    curl_global_cleanup();
    return fclose(list) == 0 ? 0 : 1;
}
