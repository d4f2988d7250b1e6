// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * throws [LINES]: C++: exceptions through many frames, caught in other threads too,
 * with destructors on their way; objects that are thread_local; containers, strings
 * and streams.
 */
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr unsigned int nr_threads = 3;
constexpr unsigned long step = 8000000;

/* Counts what is alive of it. */
struct Guard {
	static thread_local int alive;
	Guard() { alive++; }
	~Guard() { alive--; }
	Guard(const Guard &) = delete;
	Guard &operator=(const Guard &) = delete;
};
thread_local int Guard::alive;

thread_local std::string name = "nobody";
thread_local std::unique_ptr<std::vector<unsigned int>> seen;

uint64_t work(uint64_t seed, unsigned long steps)
{
	for (unsigned long i = 0; i < steps; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		asm volatile("" : "+r"(seed));
	}
	return seed;
}

struct Bottom : std::runtime_error {
	unsigned int turn;
	Bottom(unsigned int i, const std::string &what) : std::runtime_error(what), turn(i) {}
};

uint64_t dive(unsigned int depth, unsigned int turn, uint64_t seed)
{
	Guard guard;

	if (!depth)
		throw Bottom(turn, name + " is at the bottom of turn " + std::to_string(turn));
	return dive(depth - 1, turn, work(seed, step / 40)) + 1;
}

struct Round {
	std::mutex lock;
	std::condition_variable changed;
	unsigned int turn = 0, done = 0;
	std::map<std::string, std::string> said;
	std::exception_ptr carried;
	bool bad = false;
};

void one(Round &round, unsigned int turn)
{
	try {
		dive(40, turn, turn);
	} catch (const Bottom &bottom) {
		std::lock_guard<std::mutex> hold(round.lock);

		seen->push_back(bottom.turn);
		round.said[name] = bottom.what();
		round.bad |= Guard::alive != 0 || seen->size() != turn + 1 || seen->back() != turn;
		round.carried = std::current_exception();
		round.done++;
		round.changed.notify_all();
	}
}

void live(Round &round, unsigned int n, unsigned int turns)
{
	name = "thread " + std::to_string(n);
	seen = std::make_unique<std::vector<unsigned int>>();
	for (unsigned int i = 0; i < turns; i++) {
		std::unique_lock<std::mutex> hold(round.lock);

		round.changed.wait(hold, [&] { return round.turn > i; });
		hold.unlock();
		one(round, i);
	}
}

} // namespace

int main(int argc, char **argv)
{
	unsigned int turns = argc > 1 ? static_cast<unsigned int>(std::atoi(argv[1])) : 40;
	std::vector<std::thread> threads;
	Round round;

	for (unsigned int n = 0; n < nr_threads; n++)
		threads.emplace_back(live, std::ref(round), n, turns);
	for (unsigned int i = 0; i < turns; i++) {
		std::unique_lock<std::mutex> hold(round.lock);

		round.turn = i + 1;
		round.done = 0;
		round.changed.notify_all();
		round.changed.wait(hold, [&] { return round.done == nr_threads; });
		try {
			std::rethrow_exception(round.carried);
		} catch (const Bottom &bottom) {
			round.bad |= bottom.turn != i;
		}
		std::cout << "turn " << i << ": " << round.said.size() << " said "
			  << round.said.begin()->second << std::endl;
	}
	for (auto &thread : threads)
		thread.join();
	std::cout << "all as it should be: " << (round.bad ? "NO" : "yes") << std::endl;
	return round.bad;
}
