/* The client: N connections, each with one request under way, until COUNT answers have come.
 *
 * Usage: load tcp|udp|http PORT CONNECTIONS SIZE WARMUP COUNT
 *        load pipe IN OUT SIZE WARMUP COUNT
 *
 * Opens everything, has WARMUP answers, prints "warm" and waits for a line on standard input; then
 * has COUNT answers and prints "done" and the wall time in seconds. So the caller can read the
 * server's CPU clock on both edges, and neither connecting nor closing is in between. Every answer
 * is checked: its length for all, its status for http, and its last bytes for echoes.
 *
 * Edge-triggered, both directions registered once, so that the client costs two or three system
 * calls per request and leaves its core mostly idle.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1024, STALLED = 20000 /* milliseconds without any answer */ };
enum mode { TCP, UDP, HTTP, PIPE, LINE };

struct connection {
    int in, out;
    size_t unsent, awaited;
    size_t head; /* http: bytes of the answer in `text` */
    char text[4096];
};

static enum mode mode;
static char *request;
static size_t request_size, answer_size;
static char *scratch;
static int epoll;
static long to_start, to_finish;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
    exit(1);
}

static void pump_out(struct connection *c) {
    while (c->unsent) {
        ssize_t sent = write(c->out, request + request_size - c->unsent, c->unsent);
        if (sent < 0) {
            if (errno == EAGAIN) return;
            fail("write");
        }
        c->unsent -= sent;
    }
}

static void begin(struct connection *c) {
    if (to_start == 0) return;
    to_start--;
    c->unsent = request_size;
    c->awaited = answer_size;
    c->head = 0;
    pump_out(c);
}

/* Return 1 when the whole answer is here. */
static int http_complete(struct connection *c) {
    c->text[c->head] = 0;
    char *end = strstr(c->text, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->text, "\r\ncontent-length:");
    errno = 0;
    if (strncmp(c->text, "HTTP/1.1 200", 12) || !length || length > end) fail("http");
    size_t whole = (size_t)(end - c->text) + 4 + strtoul(length + 17, NULL, 10);
    if (c->head > whole) fail("http: more than one answer");
    return c->head == whole;
}

/* Return 1 when the whole answer is here, 0 when the socket has no more. */
static int pump_in(struct connection *c) {
    for (;;) {
        size_t room = mode == HTTP ? sizeof c->text - 1 - c->head : answer_size;
        ssize_t got = read(c->in, mode == HTTP ? c->text + c->head : scratch, room);
        if (got < 0) {
            if (errno == EAGAIN) return 0;
            fail("read");
        }
        errno = 0;
        if (got == 0) fail("the server closed a connection");
        if (mode == HTTP) {
            c->head += got;
            if (http_complete(c)) return 1;
            continue;
        }
        if ((size_t)got > c->awaited || (mode == UDP && (size_t)got != answer_size)) fail("echo");
        c->awaited -= got;
        if (c->awaited == 0) {
            if (scratch[got - 1] != request[request_size - 1]) fail("echo");
            return 1;
        }
    }
}

static void run(struct connection *all, int connections, long count) {
    struct epoll_event events[EVENTS];
    to_start = to_finish = count;
    for (int i = 0; i < connections; i++) begin(&all[i]);
    while (to_finish) {
        int ready = epoll_wait(epoll, events, EVENTS, STALLED);
        if (ready == 0) {
            fprintf(stderr, "load: no answer for %d s, %ld left\n", STALLED / 1000, to_finish);
            exit(1);
        }
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->unsent) pump_out(c);
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && c->awaited && pump_in(c)) {
                c->awaited = 0;
                to_finish--;
                begin(c);
            }
        }
    }
}

static void watch(int fd, unsigned events, struct connection *c) {
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = c};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void open_connection(struct connection *c, int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->in = c->out = socket(AF_INET, (mode == UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (c->in < 0) fail("socket");
    if (connect(c->in, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    if (mode != UDP) setsockopt(c->in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(c->in, EPOLLIN | EPOLLOUT, c);
}

static void make_request(size_t size, const char *port) {
    if (mode == HTTP) {
        if (asprintf(&request,
                     "GET / HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUser-Agent: load\r\n"
                     "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n", port) < 0) fail("memory");
        request_size = strlen(request);
        answer_size = 1; /* any number but zero: the answer tells its own length */
        return;
    }
    request = malloc(size);
    scratch = malloc(size);
    if (!request || !scratch) fail("memory");
    for (size_t i = 0; i < size; i++) request[i] = (char)('a' + i % 23);
    if (mode == LINE) request[size - 1] = '\n';
    request_size = answer_size = size;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    static const char *names[] = {"tcp", "udp", "http", "pipe", "line"};
    int known = 0;
    for (int i = 0; argc == 7 && i < 5; i++)
        if (!strcmp(argv[1], names[i])) mode = i, known = 1;
    if (!known) {
        fprintf(stderr, "usage: load tcp|udp|http|line PORT CONNECTIONS SIZE WARMUP COUNT\n"
                        "       load pipe IN OUT SIZE WARMUP COUNT\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int connections = mode == PIPE ? 1 : atoi(argv[3]);
    long warmup = atol(argv[5]), count = atol(argv[6]);
    struct connection *all = calloc(connections, sizeof *all);
    if (!all) fail("memory");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    make_request(strtoul(argv[4], NULL, 10), argv[2]);
    if (mode == PIPE) {
        all->in = atoi(argv[2]);
        all->out = atoi(argv[3]);
        watch(all->in, EPOLLIN, all);
        watch(all->out, EPOLLOUT, all);
    } else {
        for (int i = 0; i < connections; i++) open_connection(&all[i], atoi(argv[2]));
    }
    run(all, connections, warmup);
    printf("warm\n");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    double start = now();
    run(all, connections, count);
    printf("done %.6f\n", now() - start);
    return 0;
}
