// The threads of the OpenMP that libtorch and oneDNN use: others would wait for these, which wait actively for a while.

#pragma once

extern "C" {
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
}

// What a thread is in a team that makes recorded calls; of no size where it is in none.
struct Repeating {
    int member;
    int size;
    void (*barrier)();
};

extern __thread Repeating repeating;

namespace {

struct Team {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = nullptr;
    void (*barrier)() = nullptr;
    int (*size)() = nullptr;
    int (*member)() = nullptr;

    bool is_there() const { return parallel && barrier && size && member; }

    // libgomp, where it is loaded already.
    void look() {
        constexpr int LAZY = 1, LOADED = 4;
        if (void *library = dlopen("libgomp.so.1", LAZY | LOADED)) {
            parallel = reinterpret_cast<decltype(parallel)>(dlsym(library, "GOMP_parallel"));
            barrier = reinterpret_cast<decltype(barrier)>(dlsym(library, "GOMP_barrier"));
            size = reinterpret_cast<decltype(size)>(dlsym(library, "omp_get_num_threads"));
            member = reinterpret_cast<decltype(member)>(dlsym(library, "omp_get_thread_num"));
        }
    }
};

Team team;

// Has up to so many threads do their part of a job: part(member, size, barrier), where barrier() waits for all of them. A team that makes recorded calls
// does so with all it has.
template <typename Job>
void together(const Job &job, int threads) {
    if (repeating.size > 0) {
        job.part(repeating.member, repeating.size, repeating.barrier);
        repeating.barrier();
        return;
    }
    if (threads > 1 && !team.is_there()) {
        team.look();
    }
    if (threads > 1 && team.is_there()) {
        const auto part = [](void *job) {
            static_cast<const Job *>(job)->part(team.member(), team.size(), team.barrier);
        };
        team.parallel(part, const_cast<Job *>(&job), static_cast<unsigned>(threads), 0);
    } else {
        job.part(0, 1, [] {});
    }
}

template <typename Loop>
struct Shared {
    const Loop &loop;
    long long count;

    template <typename Barrier>
    void part(long long member, long long size, Barrier) const {
        loop(count * member / size, count * (member + 1) / size);
    }
};

// Has up to so many threads run parts of a loop, [from, to) of so many.
template <typename Loop>
void shared(long long count, int threads, const Loop &loop) {
    together(Shared<Loop>{loop, count}, threads);
}

}  // namespace
