/* Goroutines of a C++ program in a report: where they stand and their starters by the program's own lines, and no places in the
 * headers, with and without optimisation. */
#include <runnel.h>
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

enum { LOCKED_AT = __LINE__ + 7, STARTED_AT = __LINE__ + 16 };

namespace inner
{
static void twice(rn_mutex *m)
{
    mutex_lock(m);
    mutex_lock(m);
}
} // namespace inner

static int dead(int n)
{
    auto c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    auto tell = [=](std::string text) { chan_send(c, n + (int)text.size()); };
    wg_go(&wg, tell, std::string("two"));
    rn_mutex m = RN_MUTEX_INIT;
    wg_go(&wg, [&m] { inner::twice(&m); });
    wg_wait(&wg);
    return 0;
}

/* What a process says that runs f. */
static std::string report(int (*f)(int), int *status)
{
    int ends[2];
    std::string text;
    if (pipe(ends) != 0)
        return text;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        _exit(rn_run(f, 1));
    }
    close(ends[1]);
    char some[512];
    for (ssize_t n; (n = read(ends[0], some, sizeof some)) > 0;)
        text.append(some, (size_t)n);
    close(ends[0]);
    waitpid(child, status, 0);
    return text;
}

/* The line behind the first `start` is one of this file's: `line`. */
static bool has(const std::string &text, const std::string &start, int line)
{
    std::string place = "traces.cc:" + std::to_string(line) + "\n";
    size_t at = text.find(start), end = at == text.npos ? at : text.find('\n', at + start.size());
    return end != text.npos && text.substr(0, end + 1).rfind(place) == end + 1 - place.size();
}

int main()
{
    int status = 0;
    std::string text = report(dead, &status);
    bool right = WIFEXITED(status) && WEXITSTATUS(status) == 2 &&
                 has(text, "created by dead in goroutine 1\n\t", STARTED_AT) && has(text, "\ntwice\n\t", LOCKED_AT) &&
                 text.find("cxx.h") == text.npos && text.find("mutex.h") == text.npos;
    std::printf(
        "TAP version 13\n1..1\n%s 1 - the lines of lambdas and of their starters, and no place in the headers\n",
        right ? "ok" : "not ok");
    if (!right)
        std::printf("  ---\n%s\n  ...\n", text.c_str());
    return !right;
}
