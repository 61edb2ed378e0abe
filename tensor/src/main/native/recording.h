// Runs of loops that are kept while a thread records, and are made again in their order by all threads of an operation.

#pragma once

#include "threads.h"

extern "C" {
void *malloc(unsigned long);
void free(void *);
}

struct Kept {
    Kept *next;
    void (*run)(const Kept *);
};

// The first and the last of them, and whether there was memory for all.
struct Recording {
    Kept *first;
    Kept *last;
    bool whole;
};

// What the thread records, or null.
extern __thread Recording *recording;

template <typename Loop>
struct KeptLoop : Kept {
    Loop loop;

    explicit KeptLoop(const Loop &its) : Kept{nullptr, again}, loop(its) {}

    static void again(const Kept *kept) { static_cast<const KeptLoop *>(kept)->loop(); }

    void *operator new(unsigned long, void *place) noexcept { return place; }
};

// Runs a loop, which has what it was given within itself, and keeps it where the thread records.
template <typename Loop>
void perform(const Loop &loop) {
    loop();
    if (recording) {
        Kept *kept = new (malloc(sizeof(KeptLoop<Loop>))) KeptLoop<Loop>(loop);
        if (!kept) {
            recording->whole = false;
            return;
        }
        (recording->last ? recording->last->next : recording->first) = kept;
        recording->last = kept;
    }
}
