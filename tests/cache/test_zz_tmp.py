import pytest,sys,time
sys.path.insert(0,'/work/main/tests')
sys.path.insert(0,'/work/main/tests/cache')
from cache.test_history import *
import cache.test_history as th
N=int(__import__('os').environ.get('N','12'))
@pytest.mark.parametrize("broken",[None,stamped_when_stored,only_new_rows_clocked,renames_clock_nothing,a_parameter_is_not_in_the_key,viewers_share_entries,publish_errors_are_swallowed,waiting_changes_do_not_matter,gaps_are_skipped])
async def test_m(broken, settings, pool, db, monkeypatch):
    change = broken(monkeypatch,pool) if broken else None
    caught=[];hits=[];t=time.time()
    for seed in range(N):
        try:
            h=await run(settings,pool,db,seed,change); hits.append((h.hits,h.checked))
        except Wrong as e: caught.append(seed)
    print("RESULT",broken and broken.__name__,caught,hits[:4],round(time.time()-t,1))
