/* The limit: an echo server with nothing between it and epoll.
 *
 * Usage: echo_server tcp | udp | pipe IN OUT
 *
 * tcp and udp print the port they chose on 127.0.0.1 and serve until killed. Level-triggered,
 * one read and one write per event, one buffer for all: what a careful C programmer writes in an
 * hour. It uses no trick that a loop for Python could not use too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, EVENTS = 1024 };

/* What a peer did not take yet; allocated only while there is such a thing. */
struct peer {
    int fd;
    char *unsent;
    size_t length;
};

static char buffer[BUFFER];

static void fail(const char *what) {
    fprintf(stderr, "echo_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int bound_socket(int type) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0) fail("bind");
    if (type == SOCK_STREAM && listen(fd, 4096) < 0) fail("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) fail("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd, uint32_t events, void *data, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(epoll, operation, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int epoll, int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            fail("accept4");
        }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct peer *peer = calloc(1, sizeof *peer);
        if (!peer) fail("calloc");
        peer->fd = fd;
        watch(epoll, fd, EPOLLIN, peer, EPOLL_CTL_ADD);
    }
}

static void drop(struct peer *peer) {
    close(peer->fd);
    free(peer->unsent);
    free(peer);
}

/* Return 0 when the peer is gone. */
static int on_readable(int epoll, struct peer *peer) {
    ssize_t got = read(peer->fd, buffer, BUFFER);
    if (got < 0 && errno == EAGAIN) return 1;
    if (got <= 0) return 0;
    ssize_t sent = write(peer->fd, buffer, got);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if (sent == got) return 1;
    peer->length = got - sent;
    peer->unsent = malloc(peer->length);
    if (!peer->unsent) fail("malloc");
    memcpy(peer->unsent, buffer + sent, peer->length);
    watch(epoll, peer->fd, EPOLLOUT, peer, EPOLL_CTL_MOD); /* no reading until it is written */
    return 1;
}

static int on_writable(int epoll, struct peer *peer) {
    ssize_t sent = write(peer->fd, peer->unsent, peer->length);
    if (sent < 0) return errno == EAGAIN;
    peer->length -= sent;
    memmove(peer->unsent, peer->unsent + sent, peer->length);
    if (peer->length == 0) {
        free(peer->unsent);
        peer->unsent = NULL;
        watch(epoll, peer->fd, EPOLLIN, peer, EPOLL_CTL_MOD);
    }
    return 1;
}

static void serve_tcp(void) {
    int listener = bound_socket(SOCK_STREAM), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS];
    watch(epoll, listener, EPOLLIN, NULL, EPOLL_CTL_ADD);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (!peer) {
                accept_all(epoll, listener);
                continue;
            }
            int alive = peer->unsent ? on_writable(epoll, peer) : on_readable(epoll, peer);
            if (!alive) drop(peer);
        }
    }
}

static void serve_udp(void) {
    int fd = bound_socket(SOCK_DGRAM), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    watch(epoll, fd, EPOLLIN, NULL, EPOLL_CTL_ADD);
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) < 1) continue;
        for (;;) {
            struct sockaddr_storage from;
            socklen_t size = sizeof from;
            ssize_t got = recvfrom(fd, buffer, BUFFER, 0, (struct sockaddr *)&from, &size);
            if (got < 0) break;
            sendto(fd, buffer, got, 0, (struct sockaddr *)&from, size);
        }
    }
}

/* One pipe in, one pipe out; ends at end of file. */
static void serve_pipe(int in, int out) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    watch(epoll, in, EPOLLIN, NULL, EPOLL_CTL_ADD);
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) < 1) continue;
        ssize_t got = read(in, buffer, BUFFER);
        if (got == 0) return;
        for (ssize_t sent = 0; sent < got;) {
            ssize_t now = write(out, buffer + sent, got - sent);
            if (now < 0) fail("write");
            sent += now;
        }
    }
}

int main(int argc, char **argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (argc == 2 && !strcmp(argv[1], "tcp")) serve_tcp();
    if (argc == 2 && !strcmp(argv[1], "udp")) serve_udp();
    if (argc == 4 && !strcmp(argv[1], "pipe")) {
        serve_pipe(atoi(argv[2]), atoi(argv[3]));
        return 0;
    }
    fprintf(stderr, "usage: echo_server tcp | udp | pipe IN OUT\n");
    return 2;
}
